#include "io/write_at.hpp"

#include <sys/types.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace ggufkit::io {

Result<void> write_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t n = ::pwrite(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset));
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) {
            const int number = n < 0 ? errno : EIO;  // nothing written would be tried for ever
            return fail(
                {.code = number == ENOSPC || number == EDQUOT || number == EFBIG ? Errc::io_no_space : Errc::io_write,
                 .offset = offset,
                 .detail = "cannot write: " + std::generic_category().message(number)});
        }
        bytes = bytes.subspan(static_cast<std::size_t>(n));
        offset += static_cast<std::uint64_t>(n);
    }
    return {};
}

}  // namespace ggufkit::io
