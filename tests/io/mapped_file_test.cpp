// Whether a mapped file was written to meanwhile.
#include "io/mapped_file.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "support/files.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;
using test::TemporaryFolder;

TEST_CASE("mapped files: a change is found even if the time of the last write was put back") {
    TemporaryFolder folder;
    const fs::path path = folder / "file";
    write_file(path, "content");
    const auto time = fs::last_write_time(path);
    const auto file = io::MappedFile::open(path);
    REQUIRE(file);
    CHECK(file->check_unchanged());
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // times have the resolution of the kernel's clock
    SUBCASE("written to") { std::fstream(path, std::ios::in | std::ios::out) << "x"; }
    SUBCASE("written to, and its time put back") {
        std::fstream(path, std::ios::in | std::ios::out) << "x";
        fs::last_write_time(path, time);
    }
    SUBCASE("longer, and its time put back") {
        std::ofstream(path, std::ios::app) << "x";
        fs::last_write_time(path, time);
    }
    const auto same = file->check_unchanged();
    REQUIRE_FALSE(same);
    CHECK(same.error().code == Errc::io_changed);
}

TEST_CASE("mapped files: new names, links, owners and permissions are no change of the content") {
    TemporaryFolder folder;
    const fs::path path = folder / "file";
    write_file(path, "content");
    const auto file = io::MappedFile::open(path);
    REQUIRE(file);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    SUBCASE("renamed") { fs::rename(path, folder / "elsewhere"); }
    SUBCASE("replaced") {
        write_file(folder / "new", "another");
        fs::rename(folder / "new", path);
    }
    SUBCASE("removed") { fs::remove(path); }
    SUBCASE("linked") { fs::create_hard_link(path, folder / "link"); }
    SUBCASE("other permissions") { fs::permissions(path, fs::perms::owner_read); }
    SUBCASE("another owner") {
        if (::chown(path.c_str(), 12345, 12345) != 0) return;  // only root can
    }
    CHECK(file->check_unchanged());
}
