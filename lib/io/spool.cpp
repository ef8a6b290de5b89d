#include "io/spool.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "core/try.hpp"
#include "io/compression.hpp"
#include "io/frames.hpp"
#include "io/read_at.hpp"
#include "io/spool_file.hpp"

namespace ggufkit::io {

namespace {

constexpr std::string_view magic = "GGUF";

// ---- from front to back

// Writes what comes to a spool, as long as it may be a model.
class Front {
  public:
    explicit Front(const Spool& spool) : spool_(spool) {}

    Result<void> write(std::span<const std::byte> bytes) {
        for (std::size_t i = 0; i < bytes.size() && size_ + i < beginning_.size(); ++i) {
            beginning_[size_ + i] = bytes[i];
        }
        TRY(spool_.write(size_, bytes));
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

// The content of what `source` gives.
Result<Spool> read_through(const Source& source, Compression format) {
    TRY_LET(auto spool, Spool::create());
    Front front(spool);
    const Sink sink = [&](std::span<const std::byte> bytes) { return front.write(bytes); };
    auto read = decompress(format, source, sink);
    if (!read && !front.no_model()) return fail(std::move(read).error());
    return spool;
}

Error about(const std::filesystem::path& name, Error error) {
    error.subject = name.string();
    return error;
}

// The same as an input.
Result<Input> spooled(const Source& source, Compression format, const std::filesystem::path& name) {
    const auto content = read_through(source, format);
    if (!content) return fail(about(name, content.error()));
    TRY_LET(auto mapped, content->map(name));
    return Input{.file = std::move(mapped)};
}

// ---- what is compressed

Result<Input> content_of(const MappedFile& file, Compression format, const SpoolOptions& options) {
    const int fd = file.fd();
    const std::uint64_t size = file.bytes().size();
    if (format == Compression::zstd) {
        const auto read = [fd](std::uint64_t offset, std::span<std::byte> into) { return read_at(fd, offset, into); };
        auto frames = Frames::open(read, size);
        if (!frames) return fail(about(file.path(), std::move(frames).error()));
        if (*frames) return unpack_frames(*std::move(frames), file.path(), options);
    }
    std::uint64_t at = 0;
    const Source source = [&](std::span<std::byte> into) -> Result<std::size_t> {
        into = into.first(std::min<std::uint64_t>(into.size(), size - at));
        TRY(read_at(fd, at, into));
        at += into.size();
        TRY(options.go_on(at, size));
        return into.size();
    };
    return spooled(source, format, file.path());
}

}  // namespace

Error SpoolOptions::too_much() const {
    return {.code = Errc::unsupported,
            .detail = fmt::format("its header does not end in the first {} MiB, and more is not fetched for one",
                                  most >> 20)};
}

Result<void> SpoolOptions::go_on(std::uint64_t done, std::uint64_t total) const {
    if (work.progress) work.progress({done, total});
    if (!work.stop.stop_requested()) return {};
    return fail({.code = Errc::cancelled, .detail = "stopped on request"});
}

bool may_be_gguf(std::span<const std::byte> beginning) noexcept {
    const std::size_t size = std::min(beginning.size(), magic.size());
    return std::memcmp(beginning.data(), magic.data(), size) == 0;
}

Result<Input> unpack_frames(const std::shared_ptr<Frames>& frames, const std::filesystem::path& name,
                            const SpoolOptions& options) {
    if (auto unpacked = frames->unpack(options); !unpacked) return fail(about(name, unpacked.error()));
    TRY_LET(auto mapped, frames->spool().map(name));
    Input input{.file = std::move(mapped)};
    if (!frames->complete()) {
        input.fill = [frames, name](std::uint64_t begin, std::uint64_t end) {
            return frames->fill(begin, end).map_error([&](Error error) { return about(name, std::move(error)); });
        };
    }
    return input;
}

Result<Input> unpack_input(MappedFile file, const SpoolOptions& options) {
    const Compression format = compression_of(file.bytes());
    if (format == Compression::none) return Input{.file = std::move(file)};
    auto content = content_of(file, format, options);
    TRY(file.check_unchanged());
    if (content) content->compressed = std::move(file);
    return content;
}

Result<Input> open_input(const std::filesystem::path& path, const SpoolOptions& options) {
    TRY_LET(auto file, MappedFile::open(path));
    return unpack_input(std::move(file), options);
}

Result<Input> read_input(int fd, const std::filesystem::path& name, const SpoolOptions& options) {
    struct stat status {};
    if (::fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && ::lseek(fd, 0, SEEK_CUR) == 0) {
        TRY_LET(auto file, MappedFile::adopt(FileHandle(::fcntl(fd, F_DUPFD_CLOEXEC, 0)), name));
        return unpack_input(std::move(file), options);
    }

    // What it begins with has to be read to know what it is, and given once more.
    std::vector<std::byte> beginning(recognized_bytes);
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
        if (!got) return got;
        TRY(options.go_on(done += *got, 0));
        return got;
    };
    return spooled(source, compression_of(std::span(beginning).first(size)), name);
}

}  // namespace ggufkit::io
