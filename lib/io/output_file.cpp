#include "io/output_file.hpp"

#include <fmt/format.h>
#include <sys/file.h>
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

#include "core/try.hpp"
#include "io/file_kind.hpp"
#include "io/leftover.hpp"
#include "io/mapped_file.hpp"
#include "io/read_at.hpp"
#include "io/same_file.hpp"
#include "io/side_file.hpp"

namespace ggufkit::io {

namespace {

// The kernel is told to start writing each time so much is dirty: a final fsync then has little left to wait for.
constexpr std::uint64_t writeback_step = 32u << 20;

constexpr std::string_view partial_suffix = ".ggufkit-partial";

// A partial file may be taken away between the moments that it is opened and locked, but not for ever.
constexpr unsigned max_attempts = 100;

Errc code_of(int number, Errc otherwise) {
    return number == ENOSPC || number == EDQUOT ? Errc::io_no_space : otherwise;
}

std::string mebibytes(std::uint64_t bytes) {
    if (bytes < 1 << 20) return fmt::format("{} bytes", bytes);
    return fmt::format("{:.1f} MiB", static_cast<double>(bytes) / (1 << 20));
}

}  // namespace

struct OutputFile::State {
    std::filesystem::path path;
    std::string name;                   // of the output within its folder
    std::string partial;                // the temporary one
    std::optional<std::uint64_t> size;  // where it is known ahead
    Options options;
    std::shared_ptr<const FileHandle> folder;
    FileHandle file;
    bool partial_is_ours = false;  // locked, and not yet under its name
    std::optional<Leftover> leftover;
    bool keep = false;
    bool published = false;  // by the run that this one continues
    bool prepared = false;
    std::atomic<std::uint64_t> written{0};
    std::optional<mode_t> mode;  // of the file that is replaced

    State(const std::filesystem::path& output, std::optional<std::uint64_t> bytes, Options how)
        : path(output),
          name(output.filename().string()),
          partial(side_name(name, partial_suffix)),
          size(bytes),
          options(std::move(how)) {}
    ~State() {
        if (partial_is_ours && !keep) ::unlinkat(folder->get(), partial.c_str(), 0);
    }
    State(const State&) = delete;
    State& operator=(const State&) = delete;

    Result<void> open_folder();
    Result<void> check_inputs();
    Result<void> open_published();
    Result<void> check_target();
    Result<void> open_partial();
    Result<bool> lock_partial();
    Result<void> empty();
    Result<void> check_space();
    Result<void> reserve();
    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes);
    Result<void> copy_by_hand(std::uint64_t offset, int from, std::uint64_t from_offset, std::uint64_t bytes);
    Result<void> prepare();
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
    if (options.beside != nullptr && options.beside->path().parent_path() == path.parent_path()) {
        folder = options.beside->state_->folder;
        return {};
    }
    const std::filesystem::path parent = path.has_parent_path() ? path.parent_path() : ".";
    folder = std::make_shared<const FileHandle>(::open(parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (folder->get() >= 0) return {};
    return fail(errno == ENOENT ? refusal(Errc::io_open, "its folder does not exist")
                                : error(Errc::io_open, "open its folder"));
}

// Through links: an input behind one is an input.
Result<void> OutputFile::State::check_inputs() {
    struct stat target {};
    if (::fstatat(folder->get(), name.c_str(), &target, 0) != 0) return {};
    if (is_one_of(target, options.inputs)) return fail(refusal(Errc::io_same_file, "is an input of the same command"));
    return {};
}

// A run that was killed after its commit() leaves the output under its name, and no partial file.
Result<void> OutputFile::State::open_published() {
    struct stat status {};
    if (!options.may_be_published || ::fstatat(folder->get(), partial.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0)
        return {};
    file = FileHandle(::openat(folder->get(), name.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
    published = file.get() >= 0 && ::fstat(file.get(), &status) == 0 && S_ISREG(status.st_mode) &&
                static_cast<std::uint64_t>(status.st_size) == size;
    return {};
}

// Whether the name is free, or holds what may be replaced.
Result<void> OutputFile::State::check_target() {
    struct stat target {};
    if (::fstatat(folder->get(), name.c_str(), &target, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno == ENOENT) return {};
        return fail(error(Errc::io_open, "look at the output"));
    }
    if (!S_ISREG(target.st_mode)) {
        return fail(refusal(Errc::io_open,
                            fmt::format("is {}; only a regular file can be replaced", file_kind(target.st_mode))));
    }
    if (!options.overwrite) return fail(refusal(Errc::io_exists, "exists already"));
    mode = target.st_mode & 07777;
    return {};
}

// The partial file, new or left by a run that was killed, and the lock on it.
Result<void> OutputFile::State::open_partial() {
    for (unsigned attempt = 0; attempt < max_attempts; ++attempt) {
        auto opened = open_side_file(partial, SideAccess::create, folder->get());
        if (!opened) {
            opened.error().subject = (path.parent_path() / partial).string();
            return fail(std::move(opened).error());
        }
        file = *std::move(opened);
        TRY_LET(const auto locked, lock_partial());
        if (!locked) continue;
        partial_is_ours = true;
        if (options.resume) {
            struct stat status {};
            keep = ::fstat(file.get(), &status) == 0 && status.st_size > 0;
            return {};
        }
        leftover.emplace(folder->get(), partial);
        return empty();
    }
    return fail(refusal(Errc::io_open, fmt::format("{} comes and goes", partial)));
}

// False where the file that was opened has lost its name meanwhile: to a commit(), or to a run that gave up.
Result<bool> OutputFile::State::lock_partial() {
    struct stat opened {
    }, named{};
    if (::fstat(file.get(), &opened) != 0) return fail(error(Errc::io_open, "look at the file beside it"));
    if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0) {
        return fail(errno == EWOULDBLOCK ? refusal(Errc::io_busy, "another run is at work on it")
                                         : error(Errc::io_open, "lock the file beside it"));
    }
    return ::fstatat(folder->get(), partial.c_str(), &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           named.st_dev == opened.st_dev && named.st_ino == opened.st_ino;
}

Result<void> OutputFile::State::empty() {
    if (::ftruncate(file.get(), 0) == 0) return {};
    return fail(error(Errc::io_write, "empty the file beside it"));
}

Result<void> OutputFile::State::check_space() {
    if (!size) return {};
    struct statvfs volume {};
    struct stat status {};
    if (::fstatvfs(folder->get(), &volume) != 0) return {};  // only a forecast: the reservation has the last word
    constexpr std::uint64_t unit_of_blocks = 512;
    const std::uint64_t there =
        ::fstat(file.get(), &status) == 0 ? static_cast<std::uint64_t>(status.st_blocks) * unit_of_blocks : 0;
    const std::uint64_t available = std::uint64_t{volume.f_bavail} * volume.f_frsize;
    const std::uint64_t needed = *size - std::min(*size, there);
    if (needed <= available) return {};
    return fail(refusal(Errc::io_no_space,
                        fmt::format("needs {}, but its volume has {} free", mebibytes(needed), mebibytes(available))));
}

Result<void> OutputFile::State::reserve() {
    if (!size) return {};
    const auto length = static_cast<off_t>(*size);
    if (::ftruncate(file.get(), length) != 0) {  // what was left may be longer
        return fail(error(code_of(errno, Errc::io_write), "set the size"));
    }
    if (length == 0) return {};
    int result = 0;
    do {
        result = options.calls.fallocate(file.get(), 0, 0, length);
    } while (result != 0 && errno == EINTR);
    if (result == 0) return {};
    if (const int number = errno; number != EOPNOTSUPP && number != ENOSYS) {
        return fail(error(code_of(number, Errc::io_write), fmt::format("reserve {}", mebibytes(*size)), number));
    }
    return {};  // the filesystem cannot promise space: a write may yet fail with IO_NO_SPACE
}

Result<void> OutputFile::check(const std::filesystem::path& path, Options options) {
    State state(path, std::nullopt, std::move(options));
    return state.open_folder().and_then([&] { return state.check_inputs(); }).and_then([&] {
        return state.check_target();
    });
}

Result<OutputFile> OutputFile::create(const std::filesystem::path& path, std::optional<std::uint64_t> size,
                                      Options options) {
    auto state = std::make_unique<State>(path, size, std::move(options));
    for (const auto step : {&State::open_folder, &State::check_inputs, &State::open_published, &State::check_target,
                            &State::open_partial, &State::check_space, &State::reserve}) {
        TRY((state.get()->*step)());
        if (state->published) break;
    }
    return OutputFile(std::move(state));
}

OutputFile::OutputFile(std::unique_ptr<State> state) : state_(std::move(state)) {}
OutputFile::OutputFile(OutputFile&&) noexcept = default;
OutputFile& OutputFile::operator=(OutputFile&&) noexcept = default;
OutputFile::~OutputFile() = default;

std::filesystem::path OutputFile::partial_path_of(const std::filesystem::path& path) {
    return side_path(path, partial_suffix);
}

const std::filesystem::path& OutputFile::path() const { return state_->path; }

std::filesystem::path OutputFile::partial_path() const {
    return state_->published ? state_->path : state_->path.parent_path() / state_->partial;
}

bool OutputFile::published() const { return state_->published; }
void OutputFile::keep(bool wanted) { state_->keep = wanted; }

Result<void> OutputFile::clear() {
    assert(!state_->published);
    return state_->empty().and_then([this] { return state_->reserve(); });
}

Result<void> OutputFile::read(std::uint64_t offset, std::span<std::byte> into) const {
    return read_at(state_->file.get(), offset, into);
}

Result<void> OutputFile::sync() {
    if (state_->published || state_->options.calls.fdatasync(state_->file.get()) == 0) return {};
    return fail(state_->error(code_of(errno, Errc::io_write), "bring to disk"));
}

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
        TRY(read_at(from, from_offset + done, chunk));
        TRY(write(offset + done, chunk));
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

Result<void> OutputFile::prepare() { return state_->prepare(); }
Result<void> OutputFile::commit() { return state_->commit(); }

Result<void> OutputFile::State::prepare() {
    if (published || std::exchange(prepared, true)) return {};
    if (mode && ::fchmod(file.get(), *mode) != 0) return fail(error(Errc::io_write, "set the permissions"));
    if (options.calls.fsync(file.get()) != 0) return fail(error(code_of(errno, Errc::io_write), "bring to disk"));
    return {};
}

Result<void> OutputFile::State::commit() {
    if (published) return {};
    TRY(prepare());
    leftover.reset();  // from here on its name may be another run's
    TRY(publish());
    partial_is_ours = false;
    if (::close(file.release()) != 0) return fail(error(code_of(errno, Errc::io_write), "close"));
    // Some filesystems keep no record of a folder to sync, and say EINVAL.
    if (options.calls.fsync(folder->get()) != 0 && errno != EINVAL) {
        return fail(error(Errc::io_write, "bring the folder to disk (the file is complete and has its name)"));
    }
    return {};
}

Result<void> OutputFile::State::publish() {
    const int dir = folder->get();
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
