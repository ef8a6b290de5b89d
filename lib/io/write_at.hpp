// Writing all of some bytes to an open file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <span>

namespace ggufkit::io {

// Errors: IO_WRITE, IO_NO_SPACE. The caller knows what was written and adds it.
Result<void> write_at(int fd, std::uint64_t offset, std::span<const std::byte> bytes);

}  // namespace ggufkit::io
