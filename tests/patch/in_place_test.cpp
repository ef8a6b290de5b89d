#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ggufkit/diff/patch.hpp>
#include <span>
#include <string>
#include <vector>

#include "io/mapped_file.hpp"
#include "io/write_at.hpp"
#include "patch/redo.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;

namespace {

using Bytes = std::vector<std::byte>;

// A fix of the metadata in which nothing moves, and one byte of a tensor.
SmallModel fixed() {
    SmallModel model = small_llama();
    model.set("general.name", "Small Llamb").set("tokenizer.ggml.bos_token_id", 1u);
    model.tensors.back().bytes[5] ^= std::byte{1};
    return model;
}

struct Files {
    TemporaryFolder folder;
    std::string file = folder / "model.gguf", new_file = folder / "new.gguf", patch = folder / "fix.ggufpatch";
    std::string note = file + ".ggufkit-redo";
    PatchSummary summary;

    explicit Files(const SmallModel& is = fixed()) {
        small_llama().save(file);
        is.save(new_file);
        const auto a = Model::open(file), b = Model::open(new_file);
        const auto made = make_patch(*a, *b, patch);
        REQUIRE_MESSAGE(made, made.error().message());
        summary = *made;
    }
    Error refusal() const {
        const Bytes before = read_bytes(file);
        const auto applied = apply_in_place(patch, file);
        REQUIRE_FALSE(applied);
        CHECK(read_bytes(file) == before);
        return applied.error();
    }
};

// The edits that turn one into the other, three of them.
std::vector<patch::Edit> edits_between(const Bytes& was, const Bytes& is) {
    std::vector<patch::Edit> edits;
    for (std::size_t third = 0; third < 3; ++third) {
        const auto begin = static_cast<std::ptrdiff_t>(is.size() * third / 3),
                   end = static_cast<std::ptrdiff_t>(is.size() * (third + 1) / 3);
        if (!std::equal(is.begin() + begin, is.begin() + end, was.begin() + begin)) {
            edits.push_back({static_cast<std::uint64_t>(begin), {is.begin() + begin, is.begin() + end}});
        }
    }
    return edits;
}

}  // namespace

TEST_CASE("in place: a fix in which nothing moves") {
    const Files files;
    CHECK(files.summary.in_place);
    const auto same = io::MappedFile::open(files.file);
    REQUIRE(apply_in_place(files.patch, files.file));
    CHECK(std::ranges::equal(same->bytes(), read_bytes(files.new_file)));  // it is the same file still
    CHECK_FALSE(fs::exists(files.note));
    // Once more changes nothing.
    REQUIRE(apply_in_place(files.patch, files.file));
    CHECK(read_bytes(files.file) == read_bytes(files.new_file));
}

TEST_CASE("in place: what cannot be done is refused, and the file stays as it is") {
    SmallModel longer = small_llama();
    longer.set("tokenizer.chat_template", std::string(500, 't'));
    const Files moves(longer);
    CHECK_FALSE(moves.summary.in_place);
    CHECK(moves.refusal().code == Errc::unsupported);

    const Files files;
    SmallModel stranger = small_llama();
    stranger.tensors.front().bytes[1] ^= std::byte{1};
    stranger.save(files.file);
    CHECK(files.refusal().code == Errc::bad_patch);
    small_llama().save(files.file);

    const fs::path link = files.folder / "link.gguf";
    fs::create_symlink(files.file, link);
    const auto through_link = apply_in_place(files.patch, link);
    REQUIRE_FALSE(through_link);
    CHECK(through_link.error().code == Errc::io_open);

    fs::create_hard_link(files.file, files.folder / "second.gguf");
    const Error shared = files.refusal();
    CHECK(shared.code == Errc::io_open);
    CHECK(shared.detail.starts_with("has 2 names (hard links)"));
    fs::remove(files.folder / "second.gguf");

    const auto other = io::MappedFile::open(files.file);
    REQUIRE(::flock(other->fd(), LOCK_SH | LOCK_NB) == 0);
    CHECK(files.refusal().code == Errc::io_busy);
    REQUIRE(::flock(other->fd(), LOCK_UN) == 0);

    std::stop_source stop;
    stop.request_stop();
    const auto cancelled = apply_in_place(files.patch, files.file, {.work = {.stop = stop.get_token()}});
    REQUIRE_FALSE(cancelled);
    CHECK(cancelled.error().code == Errc::cancelled);
    REQUIRE(apply_in_place(files.patch, files.file));
}

TEST_CASE("in place: killed at any byte that it writes, the next run finishes it") {
    const Files files;
    const Bytes was = read_bytes(files.file), is = read_bytes(files.new_file);
    const auto edits = edits_between(was, is);
    REQUIRE(edits.size() == 2);
    std::size_t total = 0;
    for (const auto& edit : edits) total += edit.bytes.size();
    for (std::size_t most = 0; most <= total; most += 211) {
        CAPTURE(most);
        write_file(files.file, was);
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            std::size_t left = most;
            const patch::WriteAt write_and_die = [&](int fd, std::uint64_t offset, std::span<const std::byte> bytes) {
                const std::size_t n = std::min(left, bytes.size());
                auto written = io::write_at(fd, offset, bytes.first(n));
                left -= n;
                if (n < bytes.size()) ::_exit(9);
                return written;
            };
            const int fd = ::open(files.file.c_str(), O_RDWR | O_CLOEXEC);
            ::_exit(patch::Redo(fd, files.file, write_and_die).perform(edits) ? 0 : 1);
        }
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WEXITSTATUS(status) == (most < total ? 9 : 0));
        CHECK(fs::exists(files.note) == (most < total));
        REQUIRE(apply_in_place(files.patch, files.file));
        CHECK(read_bytes(files.file) == is);
        CHECK_FALSE(fs::exists(files.note));
    }
}

TEST_CASE("in place: a note that is damaged, or of another file, is not acted on") {
    const Files files;
    const Bytes was = read_bytes(files.file), is = read_bytes(files.new_file);
    const auto fails = [](int, std::uint64_t, std::span<const std::byte>) -> Result<void> {
        return fail({.code = Errc::io_write, .detail = "no"});
    };
    const auto leave_note = [&] {
        fs::remove(files.note);
        const int fd = ::open(files.file.c_str(), O_RDWR | O_CLOEXEC);
        CHECK_FALSE(patch::Redo(fd, files.file, fails).perform(edits_between(was, is)));
        ::close(fd);
        REQUIRE(fs::exists(files.note));
    };
    leave_note();
    const Bytes note = read_bytes(files.note);
    for (const std::size_t i :
         {std::size_t{0}, std::size_t{9}, std::size_t{17}, std::size_t{25}, note.size() / 2, note.size() - 1}) {
        Bytes damaged = note;
        damaged[i] ^= std::byte{1};
        write_file(files.note, damaged);
        CHECK(files.refusal().code == Errc::bad_patch);
    }
    for (const std::size_t size : {std::size_t{0}, std::size_t{20}, note.size() - 1}) {
        write_file(files.note, std::span(note).first(size));
        CHECK(files.refusal().code == Errc::bad_patch);
    }
    // The file of the note went away, and another took its name.
    leave_note();
    fs::copy_file(files.file, files.folder / "copy.gguf");
    fs::rename(files.folder / "copy.gguf", files.file);
    CHECK(files.refusal().detail == "is of another file");
    fs::remove(files.note);
    REQUIRE(apply_in_place(files.patch, files.file));
}

TEST_CASE("in place: a note that this user's ggufkit cannot have made is not acted on") {
    const Files files;
    const Bytes was = read_bytes(files.file), is = read_bytes(files.new_file);
    const auto leave_note = [&](std::span<const patch::Edit> edits) {
        const auto fails = [](int, std::uint64_t, std::span<const std::byte>) -> Result<void> {
            return fail({.code = Errc::io_write, .detail = "no"});
        };
        const int fd = ::open(files.file.c_str(), O_RDWR | O_CLOEXEC);
        CHECK_FALSE(patch::Redo(fd, files.file, fails).perform(edits));
        ::close(fd);
        REQUIRE(fs::exists(files.note));
    };
    const fs::path elsewhere = files.folder / "elsewhere";

    SUBCASE("a symbolic link") {
        leave_note(edits_between(was, is));
        fs::rename(files.note, elsewhere);
        fs::create_symlink(elsewhere, files.note);
        CHECK(files.refusal().code == Errc::io_open);
    }
    SUBCASE("a hard link") {
        leave_note(edits_between(was, is));
        fs::create_hard_link(files.note, elsewhere);
        CHECK(files.refusal().code == Errc::io_open);
    }
    SUBCASE("a FIFO, which is not waited for") {
        REQUIRE(::mkfifo(files.note.c_str(), 0600) == 0);
        CHECK(files.refusal().code == Errc::io_open);
    }
    SUBCASE("a note of another user, where this test may make one") {
        leave_note(edits_between(was, is));
        if (::geteuid() != 0) return;
        REQUIRE(::chown(files.note.c_str(), 65534, 65534) == 0);
        CHECK(files.refusal().code == Errc::io_open);
    }
    SUBCASE("edits past the end of the file") {
        const patch::Edit edits[] = {{0, Bytes(4, std::byte{'E'})}, {was.size() - 1, Bytes(2, std::byte{'E'})}};
        leave_note(edits);
        const Error error = files.refusal();
        CHECK(error.code == Errc::bad_patch);
        CHECK(error.detail == "writes past the end of the file");
    }
    SUBCASE("an edit whose end overflows") {
        const patch::Edit edits[] = {{~std::uint64_t{0}, Bytes(2, std::byte{'E'})}};
        leave_note(edits);
        CHECK(files.refusal().code == Errc::bad_patch);
    }
}
