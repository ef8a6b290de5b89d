// Packing codes into the bytes of a block.
//
// All formats spread the bits of codes alike: a byte holds `width` bits of each of 8 / width codes that lie `apart`
// elements from one another, the first in its lowest bits, and `apart` consecutive bytes hold consecutive elements.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ggufkit::quant {

// Fills `bytes` with bits shift .. shift + width - 1 of as many codes as it has room for.
template <int width, int apart, std::size_t size>
[[gnu::always_inline]] inline void pack_planes(const std::uint8_t* codes, int shift, std::uint8_t (&bytes)[size]) {
    constexpr int planes = 8 / width;
    constexpr int mask = (1 << width) - 1;
    static_assert(size % apart == 0);
    for (int run = 0; run < static_cast<int>(size); run += apart) {
        const std::uint8_t* const from = codes + run * planes;
        for (int i = 0; i < apart; ++i) {
            int byte = 0;
            for (int plane = 0; plane < planes; ++plane) {
                byte |= (from[plane * apart + i] >> shift & mask) << (width * plane);
            }
            bytes[run + i] = static_cast<std::uint8_t>(byte);
        }
    }
}

}  // namespace ggufkit::quant
