#include "io/spool_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "core/try.hpp"
#include "io/write_at.hpp"

namespace ggufkit::io {

namespace {

const char* temporary_folder() {
    const char* const said = std::getenv("TMPDIR");
    return said != nullptr && *said != '\0' ? said : "/var/tmp";
}

tl::unexpected<Error> refuse(int number = errno) {
    const bool full = number == ENOSPC || number == EDQUOT || number == EFBIG;
    return fail({.code = full ? Errc::io_no_space : Errc::io_write,
                 .detail = fmt::format("its content cannot be kept in {}: {}", temporary_folder(),
                                       std::generic_category().message(number))});
}

}  // namespace

Result<Spool> Spool::create() {
    Spool spool;
    std::string name = fmt::format("{}/ggufkit-XXXXXX", temporary_folder());
    spool.file_ = FileHandle(::open(temporary_folder(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
    if (spool.file_.get() < 0) {  // not every filesystem has files without names
        spool.file_ = FileHandle(::mkostemp(name.data(), O_CLOEXEC));
        if (spool.file_.get() >= 0) ::unlink(name.c_str());
    }
    if (spool.file_.get() < 0) return refuse();
    return spool;
}

Result<void> Spool::resize(std::uint64_t size) const {
    if (!std::in_range<off_t>(size)) return refuse(EFBIG);
    if (::ftruncate(file_.get(), static_cast<off_t>(size)) != 0) return refuse();
    return {};
}

Result<void> Spool::expect(std::uint64_t size) const {
    struct statvfs volume {};
    const bool known = ::fstatvfs(file_.get(), &volume) == 0;
    if (known && size > std::uint64_t{volume.f_bavail} * volume.f_frsize) {
        return fail({.code = Errc::io_no_space,
                     .detail = fmt::format("its content has {} bytes, for which {} has no room (TMPDIR names another "
                                           "folder)",
                                           size, temporary_folder())});
    }
    return resize(size);
}

Result<void> Spool::write(std::uint64_t offset, std::span<const std::byte> bytes) const {
    auto written = write_at(file_.get(), offset, bytes);
    if (!written) {
        written.error().detail =
            fmt::format("its content cannot be kept in {}: {}", temporary_folder(), written.error().detail);
    }
    return written;
}

void Spool::stamp(std::uint64_t number) const {
    constexpr long second = 1'000'000'000;
    timespec time{};
    time.tv_sec = static_cast<time_t>(number >> 32 & 0x7fffffff);
    time.tv_nsec = static_cast<long>(number & 0xffffffff) % second;
    const timespec times[] = {time, time};
    ::futimens(file_.get(), times);  // where that fails the file is a new one
}

Result<MappedFile> Spool::map(const std::filesystem::path& path) const {
    return MappedFile::adopt(FileHandle(::fcntl(file_.get(), F_DUPFD_CLOEXEC, 0)), path);
}

Result<MappedFile> open_or_spool(const std::filesystem::path& path) {
    std::error_code unknown;
    if (!std::filesystem::is_fifo(path, unknown)) return MappedFile::open(path);
    const auto fault = [&](Errc code, std::string_view doing) {
        return fail({.code = code,
                     .subject = path.string(),
                     .detail = fmt::format("cannot be {}: {}", doing, std::generic_category().message(errno))});
    };
    const FileHandle input(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
    if (input.get() < 0) return fault(Errc::io_open, "opened");
    TRY_LET(const auto spool, Spool::create());
    std::vector<std::byte> buffer(64 << 10);
    for (std::uint64_t offset = 0;;) {
        const ssize_t got = ::read(input.get(), buffer.data(), buffer.size());
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fault(Errc::io_read, "read");
        if (got == 0) return spool.map(path);
        const auto size = static_cast<std::size_t>(got);
        TRY(spool.write(offset, std::span(buffer).first(size)));
        offset += size;
    }
}

}  // namespace ggufkit::io
