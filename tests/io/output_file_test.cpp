#include "io/output_file.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "io/mapped_file.hpp"
#include "support/files.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;
using io::FileHandle;
using io::OutputCalls;
using io::OutputFile;
using test::TemporaryFolder;

namespace {

std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

using Names = std::vector<std::string>;

Errc refusal(const fs::path& path, OutputFile::Options options = {}, std::uint64_t size = 10) {
    const auto file = OutputFile::create(path, size, std::move(options));
    REQUIRE_FALSE(file);
    return file.error().code;
}

// What a write through `calls` ends with; the folder must be empty afterwards.
Result<void> write_with(OutputCalls calls, std::string_view text, std::string* content = nullptr) {
    TemporaryFolder folder;
    Result<void> result;
    {
        auto file = OutputFile::create(folder / "out", text.size(), {.calls = std::move(calls)});
        result = file ? file->write(0, bytes_of(text)) : fail(file.error());
        if (result) result = file->commit();
    }
    if (content && result) *content = read_text(folder / "out");
    CHECK(names_in(folder.path()) == (result ? Names{"out"} : Names{}));
    return result;
}

}  // namespace

TEST_CASE("output file: takes its name at commit and not before, what was not written is zero") {
    TemporaryFolder folder;
    auto file = OutputFile::create(folder / "out", 10, {});
    REQUIRE(file);
    CHECK_FALSE(fs::exists(folder / "out"));
    CHECK(fs::file_size(file->partial_path()) == 10);
    CHECK(file->partial_path().parent_path() == folder.path());
    REQUIRE(file->write(6, bytes_of("def")));
    REQUIRE(file->write(1, bytes_of("abc")));
    REQUIRE(file->commit());
    CHECK(read_text(folder / "out") == std::string("\0abc\0\0def\0", 10));
    CHECK(names_in(folder.path()) == Names{"out"});
}

TEST_CASE("output file: one run at a time, and what a killed one left does not stand in the way") {
    TemporaryFolder folder;
    {
        auto first = OutputFile::create(folder / "out", 10, {});
        REQUIRE(first);
        CHECK(first->partial_path().filename() == "out.ggufkit-partial");
        CHECK(refusal(folder / "out") == Errc::io_busy);
        CHECK(refusal(folder / "out", {.overwrite = true}) == Errc::io_busy);
        REQUIRE(first->write(0, bytes_of("left")));
        first->keep();
    }
    CHECK(names_in(folder.path()) == Names{"out.ggufkit-partial"});
    {
        auto resumed = OutputFile::create(folder / "out", 6, {.resume = true});
        REQUIRE(resumed);
        std::vector<std::byte> left(6);
        REQUIRE(resumed->read(0, left));
        CHECK(std::ranges::equal(left, bytes_of(std::string_view("left\0\0", 6))));
        resumed->keep();
    }
    auto anew = OutputFile::create(folder / "out", 6, {});
    REQUIRE(anew);
    REQUIRE(anew->write(0, bytes_of("n")));
    REQUIRE(anew->commit());
    CHECK(read_text(folder / "out") == std::string("n\0\0\0\0\0", 6));
    CHECK(names_in(folder.path()) == Names{"out"});

    const std::string long_name(255, 'n');
    auto file = OutputFile::create(folder / long_name, 1, {});
    REQUIRE(file);
    CHECK(file->commit());
    CHECK(fs::exists(folder / long_name));
}

TEST_CASE("output file: a partial file that someone planted is not written to") {
    TemporaryFolder folder;
    write_file(folder / "precious", "theirs");
    const fs::path partial = folder / "out.ggufkit-partial";
    SUBCASE("a link") { fs::create_hard_link(folder / "precious", partial); }
    SUBCASE("a symbolic link") { fs::create_symlink(folder / "precious", partial); }
    SUBCASE("a FIFO") { REQUIRE(::mkfifo(partial.c_str(), 0600) == 0); }
    CHECK(refusal(folder / "out") == Errc::io_open);
    CHECK(read_text(folder / "precious") == "theirs");
    CHECK(fs::exists(fs::symlink_status(partial)));
}

TEST_CASE("output file: an output that has its name already is taken for ours only where it may be") {
    TemporaryFolder folder;
    write_file(folder / "out", "ours");
    CHECK(refusal(folder / "out", {.resume = true}, 4) == Errc::io_exists);
    CHECK(refusal(folder / "out", {.resume = true, .may_be_published = true}, 5) == Errc::io_exists);
    auto file = OutputFile::create(folder / "out", 4, {.resume = true, .may_be_published = true});
    REQUIRE(file);
    CHECK(file->published());
    std::vector<std::byte> bytes(4);
    REQUIRE(file->read(0, bytes));
    CHECK(std::ranges::equal(bytes, bytes_of("ours")));
    CHECK_FALSE(file->write(0, bytes_of("x")));
    CHECK(file->sync());
    CHECK(file->commit());
    CHECK(read_text(folder / "out") == "ours");
}

TEST_CASE("output file: dropped before commit, the folder is as it was") {
    TemporaryFolder folder;
    write_file(folder / "out", "old");
    {
        auto file = OutputFile::create(folder / "out", 3, {.overwrite = true});
        REQUIRE(file);
        REQUIRE(file->write(0, bytes_of("new")));
        CHECK(names_in(folder.path()).size() == 2);
    }
    CHECK(names_in(folder.path()) == Names{"out"});
    CHECK(read_text(folder / "out") == "old");
}

TEST_CASE("output file: an existing file is replaced only where that was asked for, and keeps its permissions") {
    TemporaryFolder folder;
    write_file(folder / "out", "old");
    fs::permissions(folder / "out", fs::perms::owner_read | fs::perms::owner_write);
    CHECK(refusal(folder / "out") == Errc::io_exists);
    CHECK(read_text(folder / "out") == "old");

    auto file = OutputFile::create(folder / "out", 3, {.overwrite = true});
    REQUIRE(file);
    REQUIRE(file->write(0, bytes_of("new")));
    REQUIRE(file->commit());
    CHECK(read_text(folder / "out") == "new");
    CHECK(fs::status(folder / "out").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
}

TEST_CASE("output file: a file that took the name meanwhile is not replaced") {
    TemporaryFolder folder;
    {
        auto file = OutputFile::create(folder / "out", 3, {});
        REQUIRE(file);
        write_file(folder / "out", "theirs");
        const auto result = file->commit();
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::io_exists);
    }
    CHECK(read_text(folder / "out") == "theirs");
    CHECK(names_in(folder.path()) == Names{"out"});
}

TEST_CASE("output file: never one of the inputs, under whatever name") {
    TemporaryFolder folder;
    write_file(folder / "in", "input");
    fs::create_symlink("in", folder / "symlink");
    fs::create_hard_link(folder / "in", folder / "hardlink");
    fs::create_directory_symlink(".", folder / "way");
    const FileHandle in(::open((folder / "in").c_str(), O_RDONLY));
    for (const char* name : {"in", "./in", "symlink", "hardlink", "way/in"}) {
        CAPTURE(name);
        for (const bool overwrite : {false, true}) {
            CHECK(refusal(folder / name, {.overwrite = overwrite, .inputs = {in.get()}}) == Errc::io_same_file);
        }
    }
    CHECK(read_text(folder / "in") == "input");
    CHECK(names_in(folder.path()) == Names{"hardlink", "in", "symlink", "way"});
}

TEST_CASE("output file: only a regular file can be replaced") {
    TemporaryFolder folder;
    write_file(folder / "file", "content");
    fs::create_symlink("file", folder / "link");
    fs::create_symlink("nowhere", folder / "dangling");
    fs::create_directory(folder / "folder");
    REQUIRE(::mkfifo((folder / "fifo").c_str(), 0600) == 0);
    for (const std::string& path : {folder / "link", folder / "dangling", folder / "folder", folder / "fifo",
                                    std::string("/dev/full"), std::string("/dev/null")}) {
        CAPTURE(path);
        CHECK(refusal(path, {.overwrite = true}) == Errc::io_open);
        CHECK(refusal(path) == Errc::io_open);
    }
    CHECK(read_text(folder / "file") == "content");
    CHECK(names_in(folder.path()).size() == 5);
}

TEST_CASE("output file: a folder that is not there, a path that names no file") {
    TemporaryFolder folder;
    CHECK(refusal(folder / "missing/out") == Errc::io_open);
    CHECK(refusal("") == Errc::bad_argument);
    CHECK(refusal(folder / "") == Errc::bad_argument);
}

TEST_CASE("output file: what stands in the way is known before the work, and nothing is made") {
    TemporaryFolder folder;
    write_file(folder / "file", "content");
    fs::create_directory(folder / "folder");
    const FileHandle in(::open((folder / "file").c_str(), O_RDONLY));
    const auto refused = [](const fs::path& path, OutputFile::Options options = {}) {
        const auto possible = OutputFile::check(path, std::move(options));
        REQUIRE_FALSE(possible);
        return possible.error();
    };
    CHECK(refused(folder / "file").code == Errc::io_exists);
    CHECK(refused(folder / "file", {.overwrite = true, .inputs = {in.get()}}).code == Errc::io_same_file);
    CHECK(refused(folder / "folder", {.overwrite = true}).detail == "is a folder; only a regular file can be replaced");
    CHECK(refused(folder / "missing/out").detail == "its folder does not exist");
    CHECK(refused(folder / "file/out").detail == "cannot open its folder: Not a directory");
    CHECK(OutputFile::check(folder / "file", {.overwrite = true}));
    CHECK(OutputFile::check(folder / "out", {.inputs = {in.get()}}));
    CHECK(names_in(folder.path()) == Names{"file", "folder"});
}

TEST_CASE("output file: too big for its volume is known at once, with both numbers") {
    TemporaryFolder folder;
    for (const std::uint64_t size : {std::uint64_t{1} << 60, std::numeric_limits<std::uint64_t>::max()}) {
        const auto file = OutputFile::create(folder / "out", size, {});
        REQUIRE_FALSE(file);
        CHECK(file.error().code == Errc::io_no_space);
        CHECK(file.error().detail.find("free") != std::string::npos);
        CHECK(names_in(folder.path()).empty());
    }
}

TEST_CASE("output file: without a size it ends behind what was written, and nothing is reserved") {
    TemporaryFolder folder;
    bool reserved = false;
    OutputCalls calls;
    calls.fallocate = [&](int, int, off_t, off_t) { return reserved = true, 0; };
    auto file = OutputFile::create(folder / "out", std::nullopt, {.calls = calls});
    REQUIRE(file);
    REQUIRE(file->write(0, bytes_of("abc")));
    REQUIRE(file->write(3, bytes_of("defg")));
    CHECK_FALSE(fs::exists(folder / "out"));
    REQUIRE(file->commit());
    CHECK(read_text(folder / "out") == "abcdefg");
    CHECK_FALSE(reserved);
}

TEST_CASE("output file: a reservation that fails, and one that the filesystem does not know") {
    const auto failing = [](int number) {
        OutputCalls calls;
        calls.fallocate = [number](int, int, off_t, off_t) { return errno = number, -1; };
        return calls;
    };
    for (const int number : {ENOSPC, EDQUOT}) {
        const auto result = write_with(failing(number), "text");
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::io_no_space);
    }
    const auto result = write_with(failing(EIO), "text");
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::io_write);

    TemporaryFolder folder;
    auto file = OutputFile::create(folder / "out", 10, {.calls = failing(EOPNOTSUPP)});
    REQUIRE(file);
    REQUIRE(file->write(0, bytes_of("text")));
    REQUIRE(file->commit());
    CHECK(read_text(folder / "out") == std::string("text\0\0\0\0\0\0", 10));
}

TEST_CASE("output file: short and interrupted writes are continued") {
    int call = 0;
    OutputCalls calls;
    calls.pwrite = [&](int fd, const void* data, std::size_t size, off_t at) -> ssize_t {
        if (++call % 2 == 1) return errno = EINTR, -1;
        return ::pwrite(fd, data, std::min<std::size_t>(size, 3), at);
    };
    std::string content;
    REQUIRE(write_with(calls, "what is written in parts", &content));
    CHECK(content == "what is written in parts");
    CHECK(call == 16);
}

TEST_CASE("output file: a write that fails is not tried again, and nothing stays behind") {
    struct Case {
        ssize_t result;
        int number;
        Errc code;
    };
    for (const Case& c : {Case{-1, EIO, Errc::io_write}, Case{-1, ENOSPC, Errc::io_no_space},
                          Case{-1, EFBIG, Errc::io_write}, Case{0, 0, Errc::io_write}}) {
        int call = 0;
        OutputCalls calls;
        calls.pwrite = [&](int fd, const void* data, std::size_t, off_t at) -> ssize_t {
            if (++call == 1) return ::pwrite(fd, data, 2, at);
            return errno = c.number, c.result;
        };
        const auto result = write_with(calls, "text");
        REQUIRE_FALSE(result);
        CHECK(result.error().code == c.code);
        CHECK(call == 2);
    }
}

TEST_CASE("output file: a failed fsync is final, and nothing stays behind") {
    int call = 0;
    OutputCalls calls;
    calls.fsync = [&](int) { return ++call, errno = EIO, -1; };
    const auto result = write_with(calls, "text");
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::io_write);
    CHECK(call == 1);
}

TEST_CASE("output file: a folder that cannot be brought to disk is an error unless it has nothing to sync") {
    for (const int number : {EIO, EINVAL}) {
        int call = 0;
        OutputCalls calls;
        calls.fsync = [&](int fd) { return ++call == 1 ? ::fsync(fd) : (errno = number, -1); };
        TemporaryFolder folder;
        auto file = OutputFile::create(folder / "out", 4, {.calls = calls});
        REQUIRE(file);
        REQUIRE(file->write(0, bytes_of("text")));
        CHECK(file->commit().has_value() == (number == EINVAL));
        CHECK(call == 2);
        CHECK(read_text(folder / "out") == "text");
    }
}

TEST_CASE("output file: copies within the kernel, and by hand where the kernel cannot") {
    TemporaryFolder folder;
    std::string text;
    for (int i = 0; i < 40'000; ++i) text += std::to_string(i);
    write_file(folder / "in", text);
    const FileHandle in(::open((folder / "in").c_str(), O_RDONLY));

    int call = 0;
    OutputCalls refuses, gives_up, dribbles;
    refuses.copy_file_range = [](int, off_t*, int, off_t*, std::size_t, unsigned) { return errno = EXDEV, -1; };
    gives_up.copy_file_range = [&](int a, off_t* b, int c, off_t* d, std::size_t, unsigned) -> ssize_t {
        return call++ == 0 ? ::copy_file_range(a, b, c, d, 1000, 0) : 0;
    };
    dribbles.copy_file_range = [](int a, off_t* b, int c, off_t* d, std::size_t n, unsigned) -> ssize_t {
        return ::copy_file_range(a, b, c, d, std::min<std::size_t>(n, 5000), 0);
    };
    for (const OutputCalls& calls : {OutputCalls{}, refuses, gives_up, dribbles}) {
        const std::uint64_t size = text.size() - 20;
        auto file = OutputFile::create(folder / "out", size + 1, {.overwrite = true, .calls = calls});
        REQUIRE(file);
        REQUIRE(file->copy(1, in.get(), 7, size));
        REQUIRE(file->commit());
        CHECK(read_text(folder / "out").substr(1) == text.substr(7, size));
    }
    auto file = OutputFile::create(folder / "out", text.size(), {.overwrite = true});
    REQUIRE(file);
    const auto past_the_end = file->copy(0, in.get(), 1, text.size());
    REQUIRE_FALSE(past_the_end);
    CHECK(past_the_end.error().code == Errc::io_changed);
}

TEST_CASE("a run that resumes and cannot begin leaves what the killed run left") {
    const TemporaryFolder folder;
    const std::string partial = folder / "out.ggufkit-partial";
    const std::string text = "killed";
    {
        auto killed = OutputFile::create(folder / "out", text.size(), {});
        REQUIRE(killed);
        REQUIRE(killed->write(0, std::as_bytes(std::span(text))));
        killed->keep();
    }
    OutputCalls full;
    full.fallocate = [](int, int, off_t, off_t) {
        errno = ENOSPC;
        return -1;
    };
    CHECK_FALSE(OutputFile::create(folder / "out", text.size(), {.resume = true, .calls = full}));
    CHECK(std::filesystem::file_size(partial) == text.size());
    // Nothing is kept of a run that only began, or that gives its work up.
    CHECK_FALSE(OutputFile::create(folder / "new", 4, {.resume = true, .calls = full}));
    CHECK_FALSE(std::filesystem::exists(folder / "new.ggufkit-partial"));
    {
        auto resumed = OutputFile::create(folder / "out", text.size(), {.resume = true});
        REQUIRE(resumed);
        resumed->keep(false);
    }
    CHECK_FALSE(std::filesystem::exists(partial));
}
