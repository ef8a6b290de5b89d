// The digest of bytes that are already at hand.
#pragma once

#include <cstddef>
#include <ggufkit/digest.hpp>
#include <ggufkit/format.hpp>
#include <ggufkit/value.hpp>
#include <span>

namespace ggufkit::quant {

// `bytes` are whole blocks of `format`, laid down in `order`.
Digest digest_bytes(std::span<const std::byte> bytes, const FormatInfo& format, ByteOrder order);

}  // namespace ggufkit::quant
