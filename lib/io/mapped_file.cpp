#include "io/mapped_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/interprocess/exceptions.hpp>
#include <cerrno>
#include <system_error>

#include "io/file_kind.hpp"

namespace ggufkit::io {
namespace {

namespace interprocess = boost::interprocess;

tl::unexpected<Error> refuse(Errc code, const std::filesystem::path& path, std::string detail) {
    return fail({.code = code, .subject = path.string(), .detail = std::move(detail)});
}

std::string reason(int error) { return std::generic_category().message(error); }

// Never blocks: a FIFO without a writer opens at once, and is then refused.
int open_to_read(const std::filesystem::path& path) {
    int fd = -1;
    do {
        fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    } while (fd < 0 && errno == EINTR);
    return fd;
}

int advice(Access access) {
    switch (access) {
        case Access::sequential: return MADV_SEQUENTIAL;
        case Access::random: return MADV_RANDOM;
        case Access::will_need: return MADV_WILLNEED;
        case Access::dont_need: return MADV_DONTNEED;
        default: return MADV_NORMAL;
    }
}

}  // namespace

FileHandle::~FileHandle() {
    if (fd_ >= 0) ::close(fd_);
}

MappedFile::Stamp MappedFile::stamp_of(const struct stat& status) const {
    return {.size = status.st_size,
            .written = {status.st_mtim.tv_sec, status.st_mtim.tv_nsec},
            .changed = {status.st_ctim.tv_sec, status.st_ctim.tv_nsec},
            .links = status.st_nlink,
            .mode = status.st_mode,
            .owner = {status.st_uid, status.st_gid},
            .named = is_named(status)};
}

// Whether the file has the name that it was opened by.
bool MappedFile::is_named(const struct stat& status) const {
    struct stat named {};
    return ::stat(path_.c_str(), &named) == 0 && named.st_dev == status.st_dev && named.st_ino == status.st_ino;
}

// Writing sets both times. Only the time of writing can be put back. The other one also changes with the name, the links,
// the owner and the permissions, so it proves something only where all of these are known and the same.
bool MappedFile::Stamp::has_same_content(const Stamp& other) const {
    if (size != other.size || written != other.written) return false;
    const bool explained = links != other.links || mode != other.mode || owner != other.owner || !named || !other.named;
    return changed == other.changed || explained;
}

Result<MappedFile> MappedFile::open(const std::filesystem::path& path) {
    FileHandle handle(open_to_read(path));
    if (handle.get() < 0) return refuse(Errc::io_open, path, fmt::format("cannot be opened: {}", reason(errno)));
    return adopt(std::move(handle), path);
}

Result<MappedFile> MappedFile::adopt(FileHandle handle, const std::filesystem::path& path) {
    MappedFile file;
    file.path_ = path;
    file.handle_ = std::move(handle);
    struct stat status {};
    if (::fstat(file.fd(), &status) != 0) return refuse(Errc::io_open, path, reason(errno));
    if (!S_ISREG(status.st_mode)) {
        return refuse(Errc::io_open, path,
                      fmt::format("is {}; only a regular file can be mapped", file_kind(status.st_mode)));
    }
    file.stamp_ = file.stamp_of(status);
    if (status.st_size == 0) return file;
    try {
        const auto size = static_cast<std::size_t>(status.st_size);
        file.region_ = interprocess::mapped_region(file.handle_, interprocess::read_only, 0, size);
    } catch (const interprocess::interprocess_exception& error) {
        return refuse(Errc::io_read, path, fmt::format("cannot be mapped: {}", error.what()));
    }
    return file;
}

void MappedFile::advise(std::uint64_t begin, std::uint64_t size, Access access) const {
    begin = std::min<std::uint64_t>(begin, bytes().size());
    const std::uint64_t end = begin + std::min(size, bytes().size() - begin);
    // The kernel wants whole pages: outward, but inward where pages are to go, so that a neighbour's stay.
    const std::uint64_t page = interprocess::mapped_region::get_page_size();
    const bool inward = access == Access::dont_need;
    const std::uint64_t first = (inward ? begin + page - 1 : begin) / page * page;
    const std::uint64_t last = inward && end != bytes().size() ? end / page * page : end;
    if (first >= last) return;
    auto* const address = const_cast<std::byte*>(bytes().data()) + first;  // only a hint: no byte changes
    ::madvise(address, static_cast<std::size_t>(last - first), advice(access));
}

Result<void> MappedFile::check_unchanged() const {
    struct stat status {};
    if (::fstat(fd(), &status) != 0) return refuse(Errc::io_read, path_, reason(errno));
    const Stamp now = stamp_of(status);
    if (stamp_.has_same_content(now)) return {};
    return refuse(Errc::io_changed, path_,
                  now.size == stamp_.size
                      ? "was written to while it was read"
                      : fmt::format("changed its size from {} to {} bytes while it was read", stamp_.size, now.size));
}

}  // namespace ggufkit::io
