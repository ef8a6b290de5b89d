#include "io/write_all.hpp"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ggufkit::io {

Result<void> write_all(int fd, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::write(fd, bytes.data(), bytes.size());
        if (n >= 0) {
            bytes = bytes.subspan(static_cast<std::size_t>(n));
        } else if (errno == EAGAIN) {  // someone made it non-blocking
            pollfd ready{.fd = fd, .events = POLLOUT, .revents = 0};
            ::poll(&ready, 1, -1);
        } else if (errno == EPIPE) {
            return fail({.code = Errc::io_write, .detail = "was closed by its reader before the end"});
        } else if (errno != EINTR) {
            return fail({.code = errno == ENOSPC || errno == EDQUOT ? Errc::io_no_space : Errc::io_write,
                         .detail = "cannot be written: " + std::generic_category().message(errno)});
        }
    }
    return {};
}

}  // namespace ggufkit::io
