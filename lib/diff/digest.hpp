// The digest of bytes that are already at hand.
#pragma once

#include <cstddef>
#include <ggufkit/diff.hpp>
#include <span>

namespace ggufkit::diff {

// `bytes` are whole blocks of `format`, laid down in `order`.
Digest digest_bytes(std::span<const std::byte> bytes, const FormatInfo& format, ByteOrder order);

}  // namespace ggufkit::diff
