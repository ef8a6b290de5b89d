// Compressed input: its format, known by the first bytes, and its content as a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <span>
#include <string_view>

#include "io/byte_stream.hpp"

namespace ggufkit::io {

enum class Compression : std::uint8_t { none, zstd, gzip, bzip2, xz };

// The first bytes of a file, enough to recognize each format.
inline constexpr std::size_t longest_magic = 10;
Compression compression_of(std::span<const std::byte> beginning) noexcept;

// ".zst", ".gz", ".bz2" or ".xz", if the file name ends so; else empty.
std::string_view compression_suffix(std::string_view name) noexcept;

// Reads the source to its end and passes on the content; all bytes as they are where there is no compression. The
// content may be in several frames, members or streams one after another. Errors: TRUNCATED; BAD_ZSTD and BAD_COMPRESSED
// (damage); UNSUPPORTED (more memory than 128 MiB, a dictionary, a library built without the format); those of source
// and sink. The offset is in the compressed bytes: for gzip, bzip2 and xz, damage lies at most 4 KiB behind it.
Result<void> decompress(Compression format, const Source& source, const Sink& sink);

}  // namespace ggufkit::io
