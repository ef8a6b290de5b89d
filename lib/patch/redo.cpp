#include "patch/redo.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <system_error>
#include <utility>

#include "core/bytes.hpp"
#include "core/cursor.hpp"
#include "core/hasher.hpp"
#include "core/try.hpp"
#include "io/mapped_file.hpp"
#include "io/output_file.hpp"
#include "io/side_file.hpp"
#include "io/write_at.hpp"

namespace ggufkit::patch {

namespace {

constexpr std::string_view magic = "GGUFREDO";
constexpr std::uint64_t version = 1;
constexpr Encoding little{.order = ByteOrder::little, .version = 3};

// magic, version, identity, edits: offset, length, bytes; then the hash of all that.
std::vector<std::byte> encode(std::uint64_t identity, std::span<const Edit> edits) {
    std::vector<std::byte> bytes;
    const auto add = [&](std::uint64_t number) { append(bytes, number, ByteOrder::little); };
    const auto text = std::as_bytes(std::span(magic));
    bytes.assign(text.begin(), text.end());
    add(version);
    add(identity);
    for (const Edit& edit : edits) {
        add(edit.offset);
        add(edit.bytes.size());
        bytes.insert(bytes.end(), edit.bytes.begin(), edit.bytes.end());
    }
    add(hash64(bytes));
    return bytes;
}

// What is wrong, or nothing. `file_bytes`: the size of the file that the edits are for.
std::string_view decode(std::span<const std::byte> bytes, std::uint64_t identity, std::uint64_t file_bytes,
                        std::vector<Edit>& edits) {
    constexpr std::size_t number = sizeof(std::uint64_t);
    if (bytes.size() < magic.size() + 3 * number) return "is damaged";
    const auto content = bytes.first(bytes.size() - number);
    if (load<std::uint64_t>(bytes.data() + content.size(), ByteOrder::little) != hash64(content)) return "is damaged";
    if (std::memcmp(bytes.data(), magic.data(), magic.size()) != 0) return "is no note of ggufkit's";
    Cursor cursor(content, little, magic.size());
    std::uint64_t found = 0;
    if (!cursor.read(found) || found != version) return "is of another version";
    if (!cursor.read(found) || found != identity) return "is of another file";
    while (!cursor.done()) {
        std::uint64_t offset = 0, size = 0;
        std::span<const std::byte> next;
        if (!cursor.read(offset) || !cursor.read(size) || !cursor.read_bytes(size, next)) return "is damaged";
        if (offset > file_bytes || size > file_bytes - offset) return "writes past the end of the file";
        edits.push_back({offset, {next.begin(), next.end()}});
    }
    return "";
}

Error failure(const std::filesystem::path& file, std::string_view doing) {
    return {.code = Errc::io_write,
            .subject = file.string(),
            .detail = fmt::format("cannot {}: {}", doing, std::generic_category().message(errno))};
}

}  // namespace

std::filesystem::path note_of(const std::filesystem::path& file) { return io::side_path(file, ".ggufkit-redo"); }

Redo::Redo(int fd, const std::filesystem::path& path) : Redo(fd, path, io::write_at) {}

Redo::Redo(int fd, const std::filesystem::path& path, WriteAt write)
    : fd_(fd), file_(path), note_(note_of(path)), write_(std::move(write)) {}

// Another file of the same name is not the one that the note is about.
Result<Redo::About> Redo::about() const {
    struct stat status {};
    if (::fstat(fd_, &status) != 0) return fail(failure(file_, "look at"));
    const auto bytes = static_cast<std::uint64_t>(status.st_size);
    const std::uint64_t what[] = {status.st_dev, status.st_ino, bytes};
    return About{hash64(std::as_bytes(std::span(what))), bytes};
}

Result<void> Redo::recover() const {
    auto file = io::open_side_file(note_, io::SideAccess::read);
    if (!file && file.error().code == Errc::not_found) return {};
    if (!file) return fail(std::move(file).error());
    TRY_LET(const auto mine, about());
    TRY_LET(const auto note, io::MappedFile::adopt(*std::move(file), note_));
    std::vector<Edit> edits;
    if (const auto fault = decode(note.bytes(), mine.identity, mine.bytes, edits); !fault.empty()) {
        return fail({.code = Errc::bad_patch, .subject = note_.string(), .detail = std::string(fault)});
    }
    return make(edits);
}

Result<void> Redo::perform(std::span<const Edit> edits) const {
    auto done = note(edits);
    if (done) done = make(edits);
    return done;
}

Result<void> Redo::note(std::span<const Edit> edits) const {
    TRY_LET(const auto mine, about());
    const std::vector<std::byte> bytes = encode(mine.identity, edits);
    TRY_LET(auto file, io::OutputFile::create(note_, bytes.size(), {.overwrite = false}));
    return file.write(0, bytes).and_then([&] { return file.commit(); });
}

Result<void> Redo::make(std::span<const Edit> edits) const {
    for (const Edit& edit : edits) {
        if (auto written = write_(fd_, edit.offset, edit.bytes); !written) {
            written.error().subject = file_.string();
            return written;
        }
    }
    if (::fsync(fd_) != 0) return fail(failure(file_, "bring to disk"));
    if (::unlink(note_.c_str()) != 0) return fail(failure(note_, "remove"));
    return {};
}

}  // namespace ggufkit::patch
