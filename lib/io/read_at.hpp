// Reading without a mapping: a file that shrinks is an error here, and no signal.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <ggufkit/error.hpp>
#include <span>

namespace ggufkit::io {

// Fills `into` with the bytes of an open file from `offset` on. Errors: IO_READ; IO_CHANGED where the file ends too
// early. The caller knows what was read and adds it.
Result<void> read_at(int fd, std::uint64_t offset, std::span<std::byte> into);

// Of an open file. IO_READ.
Result<std::uint64_t> file_size(int fd);

// The same of a file wherever it is; from any thread.
using ReadAt = std::function<Result<void>(std::uint64_t offset, std::span<std::byte> into)>;

}  // namespace ggufkit::io
