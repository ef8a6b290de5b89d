#include "io/read_at.hpp"

#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ggufkit::io {

Result<void> read_at(int fd, std::uint64_t offset, std::span<std::byte> into) {
    while (!into.empty()) {
        const ssize_t n = ::pread(fd, into.data(), into.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n < 0) {
            return fail({.code = Errc::io_read,
                         .offset = offset,
                         .detail = "cannot read: " + std::generic_category().message(errno)});
        }
        if (n == 0) return fail({.code = Errc::io_changed, .offset = offset, .detail = "the file has become shorter"});
        into = into.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

Result<std::uint64_t> file_size(int fd) {
    struct stat status {};
    if (::fstat(fd, &status) == 0) return static_cast<std::uint64_t>(status.st_size);
    return fail({.code = Errc::io_read, .detail = "cannot read: " + std::generic_category().message(errno)});
}

}  // namespace ggufkit::io
