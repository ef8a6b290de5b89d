#include "io/free_memory.hpp"

#include <doctest/doctest.h>

#include <fstream>

#include "support/files.hpp"

using ggufkit::io::free_in_groups;

namespace {

void put(const std::filesystem::path& group, const char* limit, const char* used, const char* stat) {
    std::filesystem::create_directories(group);
    std::ofstream(group / "memory.max") << limit << '\n';
    std::ofstream(group / "memory.current") << used << '\n';
    ggufkit::test::write_file(group / "memory.stat", stat);
}

}  // namespace

TEST_CASE("free memory: of the tightest of the groups that a process is in, its page cache counts as free") {
    const ggufkit::test::TemporaryFolder mount;
    CHECK(!free_in_groups(mount.path(), ""));
    CHECK(!free_in_groups(mount.path(), "pods/one"));

    put(mount / "pods/one", "max", "400", "");
    CHECK(!free_in_groups(mount.path(), "pods/one"));
    put(mount / "pods/one", "1000", "400", "anon 100\ninactive_file 200\nactive_file 50\nshmem 300\n");
    CHECK(free_in_groups(mount.path(), "pods/one") == 850);
    CHECK(!free_in_groups(mount.path(), "pods"));
    put(mount / "pods", "2000", "1900", "inactive_file 300\n");
    CHECK(free_in_groups(mount.path(), "pods/one") == 400);
    put(mount / "pods", "1000", "1100", "inactive_file 50\n");  // lowered below what it has
    CHECK(free_in_groups(mount.path(), "pods/one") == 0);
    put(mount / "pods", "1000", "10", "inactive_file 50\n");  // a moment apart
    CHECK(free_in_groups(mount.path(), "pods/one") == 850);
}
