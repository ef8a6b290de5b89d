// The digest of a tensor's content, or of other bytes.
//
//     const Digest digest = *ggufkit::digest(model, tensor);   // inspect/digests.hpp
//     fmt::print("{}\n", digest.hex());                        // as xxh128sum prints it
//     assert(Digest::of_hex(digest.hex()) == digest);
//
// Ownership, thread-safety: a plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ggufkit {

// XXH3-128 of a tensor's bytes in little-endian order.
struct Digest {
    std::uint64_t high = 0;
    std::uint64_t low = 0;
    std::string hex() const;  // 32 digits, the canonical big-endian form that xxh128sum prints
    static std::optional<Digest> of_hex(std::string_view digits);
    friend bool operator==(const Digest&, const Digest&) = default;
};

}  // namespace ggufkit
