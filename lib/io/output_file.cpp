#include "io/output_file.hpp"

#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cassert>
#include <cerrno>
#include <cstdio>
#include <optional>
#include <string>
#include <system_error>
#include <utility>

#include "io/mapped_file.hpp"
#include "io/read_at.hpp"

namespace ggufkit::io {

namespace {

// The kernel is told to start writing each time so much is dirty: a final fsync then has little left to wait for.
constexpr std::uint64_t writeback_step = 32u << 20;

constexpr unsigned max_attempts = 1000;

Errc code_of(int number, Errc otherwise) {
    return number == ENOSPC || number == EDQUOT ? Errc::io_no_space : otherwise;
}

std::string mebibytes(std::uint64_t bytes) { return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20)); }

const char* kind_of(mode_t mode) {
    switch (mode & S_IFMT) {
        case S_IFDIR: return "a folder";
        case S_IFLNK: return "a symbolic link";
        case S_IFIFO: return "a FIFO";
        case S_IFSOCK: return "a socket";
        default: return "a device";
    }
}

}  // namespace

struct OutputFile::State {
    std::filesystem::path path;
    std::string name;                   // of the output within its folder
    std::string partial;                // the temporary one; empty where there is none
    std::optional<std::uint64_t> size;  // where it is known ahead
    Options options;
    FileHandle folder;
    FileHandle file;
    std::atomic<std::uint64_t> written{0};
    std::optional<mode_t> mode;  // of the file that is replaced

    State(const std::filesystem::path& output, std::optional<std::uint64_t> bytes, Options how)
        : path(output), name(output.filename().string()), size(bytes), options(std::move(how)) {}
    ~State() {
        if (!partial.empty()) ::unlinkat(folder.get(), partial.c_str(), 0);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Result<void> open_folder();
    Result<void> check_target();
    Result<void> check_space();
    Result<void> open_partial();
    Result<void> reserve();
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes);
    Result<void> copy_by_hand(std::uint64_t offset, int from, std::uint64_t from_offset, std::uint64_t bytes);
    Result<void> commit();
    void start_writeback(std::uint64_t bytes);
    Result<void> publish();

    Error error(Errc code, std::string_view doing, int number = errno) const {
        return refusal(code, fmt::format("cannot {}: {}", doing, std::generic_category().message(number)));
    }
    Error refusal(Errc code, std::string detail) const {
        return {.code = code, .subject = path.string(), .detail = std::move(detail)};
    }
};

Result<void> OutputFile::State::open_folder() {
    if (name.empty()) return fail(refusal(Errc::bad_argument, "is no name of a file"));
    const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
    folder = FileHandle(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder.get() < 0) return fail(error(Errc::io_open, "open the folder of the output"));
    return {};
}

// Whether the name is free, or holds what may be replaced.
Result<void> OutputFile::State::check_target() {
    struct stat target {};
    if (::fstatat(folder.get(), name.c_str(), &target, 0) == 0) {  // through links: an input behind one is an input
        for (const int fd : options.inputs) {
            struct stat input {};
            if (::fstat(fd, &input) == 0 && input.st_dev == target.st_dev && input.st_ino == target.st_ino) {
                return fail(refusal(Errc::io_same_file, "is the input"));
            }
        }
    }
    if (::fstatat(folder.get(), name.c_str(), &target, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return {};
        return fail(error(Errc::io_open, "look at the output"));
    }
    if (!S_ISREG(target.st_mode)) {
        return fail(refusal(Errc::io_exists,
                            fmt::format("is {}; only a regular file can be replaced", kind_of(target.st_mode))));
    }
    if (!options.overwrite) return fail(refusal(Errc::io_exists, "exists already"));
    mode = target.st_mode & 07777;
    return {};
}

Result<void> OutputFile::State::check_space() {
    if (!size) return {};
    struct statvfs volume {};
    if (::fstatvfs(folder.get(), &volume) != 0) return {};  // only a forecast: the reservation has the last word
    const std::uint64_t available = std::uint64_t{volume.f_bavail} * volume.f_frsize;
    if (*size <= available) return {};
    return fail(refusal(Errc::io_no_space,
                        fmt::format("needs {}, but its volume has {} free", mebibytes(*size), mebibytes(available))));
}

Result<void> OutputFile::State::open_partial() {
    for (unsigned attempt = 0; attempt < max_attempts; ++attempt) {
        // A file name has at most 255 bytes.
        std::string candidate = fmt::format("{}.ggufkit-{}-{}.partial", name.substr(0, 200), ::getpid(), attempt);
        file = FileHandle(
            ::openat(folder.get(), candidate.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666));
        if (file.get() >= 0) {
            partial = std::move(candidate);
            return {};
        }
        if (errno != EEXIST) break;
    }
    return fail(error(code_of(errno, Errc::io_open), "create a file beside it"));
}

Result<void> OutputFile::State::reserve() {
    if (size.value_or(0) == 0) return {};
    const auto length = static_cast<off_t>(*size);
    int result = 0;
    do {
        result = options.calls.fallocate(file.get(), 0, 0, length);
    } while (result != 0 && errno == EINTR);
    if (result == 0) return {};
    if (const int number = errno; number != EOPNOTSUPP && number != ENOSYS) {
        return fail(error(code_of(number, Errc::io_write), fmt::format("reserve {}", mebibytes(*size)), number));
    }
    // The filesystem cannot promise space: the file gets its size, and a write may yet fail with IO_NO_SPACE.
    if (::ftruncate(file.get(), length) != 0) return fail(error(code_of(errno, Errc::io_write), "set the size"));
    return {};
}

Result<OutputFile> OutputFile::create(const std::filesystem::path& path, std::optional<std::uint64_t> size,
                                      Options options) {
    auto state = std::make_unique<State>(path, size, std::move(options));
    for (const auto step :
         {&State::open_folder, &State::check_target, &State::check_space, &State::open_partial, &State::reserve}) {
        if (auto result = (state.get()->*step)(); !result) return fail(std::move(result).error());
    }
    return OutputFile(std::move(state));
}

OutputFile::OutputFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
OutputFile::OutputFile(OutputFile&&) noexcept = default;
OutputFile& OutputFile::operator=(OutputFile&&) noexcept = default;
OutputFile::~OutputFile() = default;

std::filesystem::path OutputFile::partial_path() const { return state_->path.parent_path() / state_->partial; }

Result<void> OutputFile::write(std::uint64_t offset, std::span<const std::byte> bytes) {
    return state_->write(offset, bytes);
}

Result<void> OutputFile::State::write(std::uint64_t offset, std::span<const std::byte> bytes) {
    assert(!size || offset + bytes.size() <= *size);
    const std::uint64_t total = bytes.size();
    while (!bytes.empty()) {
        const ssize_t n = options.calls.pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) return fail(error(code_of(errno, Errc::io_write), "write"));
        if (n == 0) return fail(error(Errc::io_write, "write", EIO));  // or it would be tried for ever
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    start_writeback(total);
    return {};
}

Result<void> OutputFile::copy(std::uint64_t offset, int from, std::uint64_t from_offset, std::uint64_t size) {
    assert(!state_->size || offset + size <= *state_->size);
    while (size > 0) {
        auto in = static_cast<off_t>(from_offset);
        auto out = static_cast<off_t>(offset);
        const std::size_t chunk = std::min(size, writeback_step);
        const ssize_t n = state_->options.calls.copy_file_range(from, &in, state_->file.get(), &out, chunk, 0);
        if (n < 0 && errno == EINTR) continue;
        // Across filesystems, or unsupported; a fault of the disk or the end of the file is met again by hand.
        if (n <= 0) return state_->copy_by_hand(offset, from, from_offset, size);
        const auto copied = static_cast<std::uint64_t>(n);
        state_->start_writeback(copied);
        offset += copied;
        from_offset += copied;
        size -= copied;
    }
    return {};
}

Result<void> OutputFile::State::copy_by_hand(std::uint64_t offset, int from, std::uint64_t from_offset,
                                             std::uint64_t bytes) {
    std::array<std::byte, 64 << 10> buffer;
    for (std::uint64_t done = 0; done < bytes;) {
        const std::span chunk = std::span(buffer).first(std::min<std::uint64_t>(buffer.size(), bytes - done));
        if (auto result = read_at(from, from_offset + done, chunk); !result) return result;
        if (auto result = write(offset + done, chunk); !result) return result;
        done += chunk.size();
    }
    return {};
}

// Where the bytes lie does not matter: all that is dirty is queued.
void OutputFile::State::start_writeback(std::uint64_t bytes) {
    const std::uint64_t before = written.fetch_add(bytes, std::memory_order_relaxed);
    if (before / writeback_step == (before + bytes) / writeback_step) return;
    ::sync_file_range(file.get(), 0, 0, SYNC_FILE_RANGE_WRITE);  // only advice: commit() makes sure
}

Result<void> OutputFile::commit() { return state_->commit(); }

Result<void> OutputFile::State::commit() {
    if (mode && ::fchmod(file.get(), *mode) != 0) return fail(error(Errc::io_write, "set the permissions"));
    if (options.calls.fsync(file.get()) != 0) return fail(error(code_of(errno, Errc::io_write), "bring to disk"));
    if (::close(file.release()) != 0) return fail(error(code_of(errno, Errc::io_write), "close"));
    if (auto result = publish(); !result) return result;
    partial.clear();
    // Some filesystems keep no record of a folder to sync, and say EINVAL.
    if (options.calls.fsync(folder.get()) != 0 && errno != EINVAL) {
        return fail(error(Errc::io_write, "bring the folder to disk (the file is complete and has its name)"));
    }
    return {};
}

Result<void> OutputFile::State::publish() {
    const int dir = folder.get();
    const unsigned flags = options.overwrite ? 0 : RENAME_NOREPLACE;
    if (::renameat2(dir, partial.c_str(), dir, name.c_str(), flags) == 0) return {};
    // Not every filesystem can rename without replacing. A link never replaces; the partial name goes after it.
    if (errno == EINVAL && !options.overwrite && ::linkat(dir, partial.c_str(), dir, name.c_str(), 0) == 0) {
        ::unlinkat(dir, partial.c_str(), 0);
        return {};
    }
    return fail(error(errno == EEXIST ? Errc::io_exists : Errc::io_write, "give the output its name"));
}

}  // namespace ggufkit::io
