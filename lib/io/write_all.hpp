// Writing to a pipe, or to whatever else is written from front to back.
#pragma once

#include <cstddef>
#include <ggufkit/error.hpp>
#include <span>

namespace ggufkit::io {

// All of `bytes`, however many calls that takes. Errors: IO_WRITE (a pipe that nobody reads any more included; SIGPIPE
// is the caller's to ignore), IO_NO_SPACE.
Result<void> write_all(int fd, std::span<const std::byte> bytes);

}  // namespace ggufkit::io
