#include "io/spool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "core/parallel.hpp"
#include "io/read_at.hpp"
#include "io/seekable.hpp"
#include "io/write_at.hpp"
#include "io/zstd.hpp"

namespace ggufkit::io {

namespace {

// What the buffers of all threads may take together, and a frame beyond which a table is of no use.
constexpr std::uint64_t buffer_budget = 48 << 20;
constexpr std::uint64_t largest_frame = 16 << 20;

constexpr std::string_view magic = "GGUF";

const char* temporary_folder() {
    const char* const said = std::getenv("TMPDIR");
    return said != nullptr && *said != '\0' ? said : "/var/tmp";
}

tl::unexpected<Error> refuse(std::string_view doing, int number = errno) {
    const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    return fail({.code = full ? Errc::io_no_space : Errc::io_write,
                 .detail = fmt::format("its content cannot be {} {}: {}", doing, temporary_folder(),
                                       std::generic_category().message(number))});
}

// A file without a name.
class Spool {
  public:
    static Result<Spool> create() {
        Spool spool;
        std::string name = fmt::format("{}/ggufkit-XXXXXX", temporary_folder());
        spool.file_ = FileHandle(::open(temporary_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
        if (spool.file_.get() < 0) {  // not every filesystem has files without names
            spool.file_ = FileHandle(::mkostemp(name.data(), O_CLOEXEC));
            if (spool.file_.get() >= 0) ::unlink(name.c_str());
        }
        if (spool.file_.get() < 0) return refuse("unpacked in");
        return spool;
    }

    // So much is to come; IO_NO_SPACE where there is not so much room now.
    Result<void> expect(std::uint64_t size) const {
        struct statvfs volume {};
        const bool known = ::fstatvfs(file_.get(), &volume) == 0;
        if (known && size > std::uint64_t{volume.f_bavail} * volume.f_frsize) {
            return fail({.code = Errc::io_no_space,
                         .detail = fmt::format("unpacked it has {} bytes, for which {} has no room (TMPDIR names "
                                               "another folder)",
                                               size, temporary_folder())});
        }
        return resize(size);
    }
    Result<void> resize(std::uint64_t size) const {
        if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) return refuse("unpacked in");
        return {};
    }

    Result<void> write(std::uint64_t offset, std::span<const std::byte> bytes) const {
        auto written = write_at(file_.get(), offset, bytes);
        if (!written)
            written.error().detail =
                fmt::format("its content cannot be unpacked in {}: {}", temporary_folder(), written.error().detail);
        return written;
    }

    int fd() const { return file_.get(); }
    FileHandle take() && { return std::move(file_); }

  private:
    FileHandle file_;
};

// Whether content that begins so may be a model; true as long as too little is there to say.
bool may_be_gguf(std::span<const std::byte> beginning) {
    const std::size_t size = std::min(beginning.size(), magic.size());
    return std::memcmp(beginning.data(), magic.data(), size) == 0;
}

// ---- from front to back

// Writes what comes to a spool, as long as it may be a model.
class Front {
  public:
    explicit Front(const Spool& spool) : spool_(spool) {}

    Result<void> write(std::span<const std::byte> bytes) {
        for (std::size_t i = 0; i < bytes.size() && size_ + i < beginning_.size(); ++i) {
            beginning_[size_ + i] = bytes[i];
        }
        if (auto written = spool_.write(size_, bytes); !written) return written;
        size_ += bytes.size();
        if (no_model()) return fail({.code = Errc::bad_magic});
        return {};
    }
    bool no_model() const {
        return !may_be_gguf(std::span(beginning_).first(std::min<std::size_t>(size_, beginning_.size())));
    }

  private:
    const Spool& spool_;
    std::uint64_t size_ = 0;
    std::array<std::byte, magic.size()> beginning_{};
};

Result<std::size_t> read_some(int fd, std::span<std::byte> into) {
    ssize_t n = 0;
    do {
        n = ::read(fd, into.data(), into.size());
    } while (n < 0 && errno == EINTR);
    if (n >= 0) return static_cast<std::size_t>(n);
    return fail(
        {.code = Errc::io_read, .detail = fmt::format("cannot read: {}", std::generic_category().message(errno))});
}

Result<void> copy(const Source& source, const Sink& sink) {
    std::vector<std::byte> buffer(1 << 20);
    while (true) {
        const auto got = source(buffer);
        if (!got) return fail(got.error());
        if (*got == 0) return {};
        if (auto taken = sink(std::span(buffer).first(*got)); !taken) return taken;
    }
}

// The content of what `source` gives, decompressed or as it is.
Result<FileHandle> read_through(const Source& source, bool compressed) {
    auto spool = Spool::create();
    if (!spool) return fail(std::move(spool).error());
    Front front(*spool);
    const Sink sink = [&](std::span<const std::byte> bytes) { return front.write(bytes); };
    auto read = compressed ? decompress_stream(source, sink) : copy(source, sink);
    if (!read && !front.no_model()) return fail(std::move(read).error());
    return std::move(*spool).take();
}

// ---- by the seek table

class Frames {
  public:
    Frames(int fd, const SeekTable& table, const Spool& spool, const SpoolOptions& options)
        : fd_(fd), table_(table), spool_(spool), options_(options) {}

    // The first frame alone, then twice as many as before, until it is enough; or the others all at once.
    Result<void> unpack() {
        const std::size_t count = table_.frames().size();
        for (std::size_t done = 0, next = 1; done < count; done += next, next = options_.enough ? 2 * done : count) {
            next = std::min(next, count - done);
            if (auto unpacked = unpack(table_.frames().subspan(done, next)); !unpacked) return unpacked;
            const Frame& last = table_.frames()[done + next - 1];
            const auto satisfied = look(last.offset + last.content);
            if (!satisfied) return fail(satisfied.error());
            if (*satisfied) break;
        }
        return {};
    }

  private:
    Result<void> unpack(std::span<const Frame> frames) {
        std::uint64_t memory = 1;
        for (const Frame& frame : frames) memory = std::max(memory, std::uint64_t{frame.size} + frame.content);
        const unsigned wanted = worker_count(frames.size(), options_.threads);
        const auto workers = static_cast<unsigned>(std::clamp<std::uint64_t>(buffer_budget / memory, 1, wanted));
        std::vector<std::vector<std::byte>> buffers(workers);
        return parallel_for(frames.size(), workers, {}, [&](std::size_t i, unsigned worker) {
            buffers[worker].resize(memory);
            return unpack(frames[i], buffers[worker]);
        });
    }

    Result<void> unpack(const Frame& frame, std::span<std::byte> buffer) {
        const auto compressed = buffer.first(frame.size), content = buffer.subspan(frame.size, frame.content);
        if (auto got = read_at(fd_, frame.at, compressed); !got) return got;
        if (auto unpacked = decompress_frames(compressed, content); !unpacked) {
            unpacked.error().offset = frame.at + unpacked.error().offset.value_or(0);
            return unpacked;
        }
        if (auto written = spool_.write(frame.offset, content); !written) return written;
        if (options_.progress) {
            const std::lock_guard lock(mutex_);
            options_.progress(done_ += frame.content, table_.content());
        }
        return {};
    }

    // Whether the first `size` bytes are all that is needed; they are if they cannot be of a model.
    Result<bool> look(std::uint64_t size) const {
        const auto so_far = MappedFile::adopt(FileHandle(::fcntl(spool_.fd(), F_DUPFD_CLOEXEC, 0)), {});
        if (!so_far) return fail(so_far.error());
        const auto bytes = so_far->bytes().first(size);
        return !may_be_gguf(bytes) || (options_.enough && options_.enough(bytes));
    }

    const int fd_;
    const SeekTable& table_;
    const Spool& spool_;
    const SpoolOptions& options_;
    std::mutex mutex_;
    std::uint64_t done_ = 0;
};

Result<FileHandle> read_frames(int fd, const SeekTable& table, const SpoolOptions& options) {
    auto spool = Spool::create();
    if (!spool) return fail(std::move(spool).error());
    // Where a header is all that is wanted, the rest is a hole and takes no room.
    auto room = options.enough ? spool->resize(table.content()) : spool->expect(table.content());
    if (!room) return fail(std::move(room).error());
    if (auto unpacked = Frames(fd, table, *spool, options).unpack(); !unpacked) return fail(unpacked.error());
    return std::move(*spool).take();
}

Result<FileHandle> decompressed(int fd, std::uint64_t size, const SpoolOptions& options) {
    const auto table = SeekTable::read(fd, size);
    if (!table) return fail(table.error());
    const auto too_large = [](const Frame& frame) { return std::max(frame.size, frame.content) > largest_frame; };
    if (*table && std::ranges::none_of((*table)->frames(), too_large)) return read_frames(fd, **table, options);

    std::uint64_t at = 0;
    const Source source = [&](std::span<std::byte> into) -> Result<std::size_t> {
        into = into.first(std::min<std::uint64_t>(into.size(), size - at));
        if (auto got = read_at(fd, at, into); !got) return fail(std::move(got).error());
        at += into.size();
        if (options.progress) options.progress(at, size);
        return into.size();
    };
    return read_through(source, true);
}

Error about(const std::filesystem::path& name, Error error) {
    error.subject = name.string();
    return error;
}

Result<Input> unpacked(MappedFile file, const SpoolOptions& options) {
    if (!is_zstd(file.bytes())) return Input{.file = std::move(file)};
    auto content = decompressed(file.fd(), file.bytes().size(), options);
    if (auto same = file.check_unchanged(); !same) return fail(std::move(same).error());
    if (!content) return fail(about(file.path(), std::move(content).error()));
    auto mapped = MappedFile::adopt(std::move(*content), file.path());
    if (!mapped) return fail(std::move(mapped).error());
    return Input{.file = std::move(*mapped), .compressed = std::move(file)};
}

}  // namespace

Result<Input> open_input(const std::filesystem::path& path, const SpoolOptions& options) {
    auto file = MappedFile::open(path);
    if (!file) return fail(std::move(file).error());
    return unpacked(std::move(*file), options);
}

Result<Input> read_input(int fd, const std::filesystem::path& name, const SpoolOptions& options) {
    struct stat status {};
    if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && ::lseek(fd, 0, SEEK_CUR) == 0) {
        auto file = MappedFile::adopt(FileHandle(::fcntl(fd, F_DUPFD_CLOEXEC, 0)), name);
        if (!file) return fail(std::move(file).error());
        return unpacked(std::move(*file), options);
    }

    // What it begins with has to be read to know what it is, and given once more.
    std::vector<std::byte> beginning(magic.size());
    std::size_t given = 0, size = 0;
    std::uint64_t done = 0;
    for (std::size_t n = 1; n != 0 && size < beginning.size(); size += n) {
        const auto got = read_some(fd, std::span(beginning).subspan(size));
        if (!got) return fail(about(name, got.error()));
        n = *got;
    }
    const Source source = [&](std::span<std::byte> into) -> Result<std::size_t> {
        if (given < size) {
            const std::size_t n = std::min(into.size(), size - given);
            std::memcpy(into.data(), beginning.data() + given, n);
            given += n;
            return n;
        }
        auto got = read_some(fd, into);
        if (got && options.progress) options.progress(done += *got, 0);
        return got;
    };
    auto content = read_through(source, is_zstd(std::span(beginning).first(size)));
    if (!content) return fail(about(name, std::move(content).error()));
    auto mapped = MappedFile::adopt(std::move(*content), name);
    if (!mapped) return fail(std::move(mapped).error());
    return Input{.file = std::move(*mapped)};
}

}  // namespace ggufkit::io
