#include "diff/digest.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/quantize.hpp>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ggufkit {

namespace diff {

namespace {

// What is turned at a time to little-endian order, in whole blocks.
constexpr std::size_t turned_bytes = 256 << 10;

Digest digest_of(XXH128_hash_t hash) { return {.high = hash.high64, .low = hash.low64}; }

}  // namespace

Digest digest_bytes(std::span<const std::byte> bytes, const FormatInfo& format, ByteOrder order) {
    if (order == ByteOrder::little) return digest_of(XXH3_128bits(bytes.data(), bytes.size()));

    XXH3_state_t state;
    XXH3_128bits_reset(&state);
    const std::size_t block = format.block_bytes;
    std::vector<std::byte> turned(std::min(bytes.size(), std::max(turned_bytes / block, std::size_t{1}) * block));
    while (!bytes.empty()) {
        const auto part = std::span(turned).first(std::min(turned.size(), bytes.size()));
        std::ranges::copy(bytes.first(part.size()), part.begin());
        swap_block_bytes(format, part);
        XXH3_128bits_update(&state, part.data(), part.size());
        bytes = bytes.subspan(part.size());
    }
    return digest_of(XXH3_128bits_digest(&state));
}

}  // namespace diff

std::string Digest::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

Result<Digest> digest(const Model& model, const ModelTensor& tensor) {
    const auto bytes = model.data(tensor);
    if (!bytes) return fail(bytes.error());
    return diff::digest_bytes(*bytes, *tensor.info->format, model.shard(tensor.shard).byte_order());
}

}  // namespace ggufkit
