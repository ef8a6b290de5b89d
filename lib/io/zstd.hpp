// zstd frames: compressing content into one, and reading one or a stream of them.
//
// This is all that the library knows of zstd, so that it can be built without (CMake option GGUFKIT_ZSTD): then each of
// these is UNSUPPORTED. Errors of reading: TRUNCATED, BAD_ZSTD (damage), UNSUPPORTED (a window of more than 128 MiB, a
// dictionary), with the place in the compressed bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <span>
#include <vector>

#include "io/byte_stream.hpp"

namespace ggufkit::io {

// Bytes of memory that compress_frame() takes besides its arguments, for content of up to a mebibyte.
std::uint64_t compression_memory(int level) noexcept;

// Appends one frame with a checksum to `frames`. The same bytes for the same content, prefix, level and version of
// libzstd. The content may refer to `prefix`, which whoever decompresses it needs as well, as if it stood before it: of a mebibyte
// of content and up to 4 MiB of prefix, to all of it.
Result<void> compress_frame(std::span<const std::byte> content, int level, std::vector<std::byte>& frames,
                            std::span<const std::byte> prefix = {});

// Frames that lie in memory; one frame where there is a prefix. They must hold exactly content.size() bytes.
Result<void> decompress_frames(std::span<const std::byte> frames, std::span<std::byte> content,
                               std::span<const std::byte> prefix = {});

// Frames, and the content that they must hold exactly.
struct Packed {
    std::span<const std::byte> frames;
    std::span<std::byte> content;
};
// The same for several that lie one behind the other, in less time. The place in an error counts from the first one's
// beginning.
Result<void> decompress_each(std::span<const Packed> parts);

// Reads frames to the end of the source, and passes their content on as it comes. Besides the errors above, those of
// source and sink.
Result<void> decompress_zstd(const Source& source, const Sink& sink);

}  // namespace ggufkit::io
