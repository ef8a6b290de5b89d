// Inputs that are no ordinary file, or stop being one while they are read.
#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <ggufkit/model.hpp>
#include <span>
#include <string>

#include "container/allocations.hpp"
#include "container/verdict.hpp"
#include "support/bytes.hpp"
#include "support/files.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

// A file of several pages with one tensor.
TensorFile several_pages() { return TensorFile(little_v3, {{.ne = {8192}}}, 32768); }

void expect_refused(const fs::path& path, Errc code) {
    CAPTURE(path.string());
    const auto model = Model::open(path);
    REQUIRE_FALSE(model);
    CHECK(model.error().code == code);
    if (code == Errc::io_open) CHECK(model.error().message().find(path.filename().string()) != std::string::npos);
}

// Ends the test program, loudly, if what follows blocks for ever.
struct Deadline {
    Deadline() { ::alarm(30); }
    ~Deadline() { ::alarm(0); }
};

}  // namespace

TEST_CASE("I1 a path that is not there") {
    const TemporaryFolder folder;
    expect_refused(folder / "absent.gguf", Errc::io_open);
    fs::create_symlink(folder / "nowhere.gguf", folder / "dangling.gguf");
    expect_refused(folder / "dangling.gguf", Errc::io_open);
    expect_refused(folder / (std::string(300, 'n') + ".gguf"), Errc::io_open);
}

TEST_CASE("I1 a folder") {
    const TemporaryFolder folder;
    expect_refused(folder.path(), Errc::io_open);
}

TEST_CASE("I1 a FIFO is refused rather than waited for") {
    const TemporaryFolder folder;
    const std::string path = folder / "pipe.gguf";
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    const Deadline deadline;
    expect_refused(path, Errc::io_open);
}

TEST_CASE("I1 devices") {
    const Deadline deadline;
    expect_refused("/dev/null", Errc::io_open);
    expect_refused("/dev/zero", Errc::io_open);
}

TEST_CASE("I1 an empty file and a file of one byte") {
    const TemporaryFolder folder;
    write_file(folder / "empty.gguf", "");
    expect_refused(folder / "empty.gguf", Errc::truncated);
    write_file(folder / "one.gguf", Bytes(little_v3).raw("G"));
    expect_refused(folder / "one.gguf", Errc::truncated);
}

TEST_CASE("I1 a file whose size the system does not know") {
    const Deadline deadline;
    CHECK_FALSE(Model::open("/proc/self/status"));
}

TEST_CASE("I1 a symbolic link and another hard link to a good file") {
    const TemporaryFolder folder;
    write_file(folder / "model.gguf", several_pages());
    fs::create_symlink(folder / "model.gguf", folder / "symbolic.gguf");
    fs::create_hard_link(folder / "model.gguf", folder / "hard.gguf");
    CHECK(Model::open(folder / "symbolic.gguf"));
    CHECK(Model::open(folder / "hard.gguf"));
}

TEST_CASE("I1 a file that ends exactly with a page") {
    const TemporaryFolder folder;
    const std::uint64_t page = static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
    TensorFile file(little_v3, {{.ne = {(page - 64) / 4}}}, 0);
    REQUIRE(file.data <= 64 + 32);
    Bytes whole(little_v3, 1, 0);
    whole.tensor({.ne = {(page - file.data) / 4}});
    whole.pad().fill(page - file.data);
    REQUIRE(whole.size() == page);
    write_file(folder / "page.gguf", whole);
    const auto model = Model::open(folder / "page.gguf");
    REQUIRE(model);
    const auto data = model->data(model->tensors()[0]);
    REQUIRE(data);
    CHECK(data->data() + data->size() == model->header().file().data() + page);
}

TEST_CASE("I1 a short file is refused unless broken files are asked for") {
    const TemporaryFolder folder;
    TensorFile file = several_pages();
    write_file(folder / "short.gguf", file.bytes.cut(file.bytes.size() - 1));
    expect_refused(folder / "short.gguf", Errc::data_past_eof);

    const auto model = Model::open(folder / "short.gguf", {.check_structure = false});
    REQUIRE(model);
    const auto data = model->data(model->tensors()[0]);
    REQUIRE_FALSE(data);
    CHECK(data.error().code == Errc::data_past_eof);
}

TEST_CASE("I1 a file that shrinks after it was mapped") {
    const TemporaryFolder folder;
    const std::string path = folder / "model.gguf";
    for (const std::uint64_t size : {32767u, 4096u, 1u, 0u}) {
        CAPTURE(size);
        write_file(path, several_pages());
        const auto model = Model::open(path);
        REQUIRE(model);
        CHECK(model->check_unchanged());
        fs::resize_file(path, size);
        const auto unchanged = model->check_unchanged();
        REQUIRE_FALSE(unchanged);
        CHECK(unchanged.error().code == Errc::io_changed);
        CHECK(unchanged.error().message().find("model.gguf") != std::string::npos);
    }
}

TEST_CASE("I1 a file that is overwritten after it was mapped") {
    const TemporaryFolder folder;
    const std::string path = folder / "model.gguf";
    write_file(path, several_pages());
    // Old enough that any clock shows the difference.
    fs::last_write_time(path, fs::file_time_type::clock::now() - std::chrono::hours(1));
    const auto model = Model::open(path);
    REQUIRE(model);
    CHECK(model->check_unchanged());
    write_file(path, several_pages());
    CHECK(model->check_unchanged().error().code == Errc::io_changed);
}

TEST_CASE("R01 a hole of gigabytes that holds as many records as were announced") {
    const TemporaryFolder folder;
    const fs::path path = folder / "hole.gguf";
    write_file(path, Bytes(little_v3, 0, Limits{}.records + 1));
    fs::resize_file(path, std::uint64_t{16} << 30);
    const HeapWatch watch;
    expect_refused(path, Errc::count_impossible);
    CHECK(watch.peak() <= 64 << 10);
}
