// XXH3 of bytes as they are, in one piece or as they come.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <ggufkit/digest.hpp>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace ggufkit {

inline std::uint64_t hash64(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

inline Digest as_digest(const XXH128_hash_t& hash) { return {.high = hash.high64, .low = hash.low64}; }

inline Digest hash128(std::span<const std::byte> bytes) { return as_digest(XXH3_128bits(bytes.data(), bytes.size())); }

class Hasher {
  public:
    Hasher() { XXH3_128bits_reset(&state_); }
    void add(std::span<const std::byte> bytes) { XXH3_128bits_update(&state_, bytes.data(), bytes.size()); }
    Digest digest() const { return as_digest(XXH3_128bits_digest(&state_)); }

  private:
    XXH3_state_t state_;
};

}  // namespace ggufkit
