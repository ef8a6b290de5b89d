// Packing codes into the bytes of a block.
//
// All formats spread the bits of codes alike: a byte holds `width` bits of each of 8 / width codes that lie `apart`
// elements from one another, the first in its lowest bits, and `apart` consecutive bytes hold consecutive elements.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

namespace ggufkit::quant {

// Fills `bytes` with bits shift .. shift + width - 1 of as many codes as it has room for. Where codes lie far enough apart,
// eight bytes are made at once, in a word.
template <int width, int apart, std::size_t size>
[[gnu::always_inline]] inline void pack_planes(const std::uint8_t* codes, int shift, std::uint8_t (&bytes)[size]) {
    using Word = std::conditional_t<apart % 8 == 0, std::uint64_t, std::uint8_t>;
    constexpr int planes = 8 / width;
    constexpr auto mask = static_cast<Word>(static_cast<Word>(-1) / 255 * ((1 << width) - 1));
    static_assert(size % apart == 0);
    for (int run = 0; run < static_cast<int>(size); run += apart) {
        const std::uint8_t* const from = codes + run * planes;
        for (int i = 0; i < apart; i += static_cast<int>(sizeof(Word))) {
            Word word = 0;
            for (int plane = 0; plane < planes; ++plane) {
                Word some;
                std::memcpy(&some, from + plane * apart + i, sizeof some);
                word = static_cast<Word>(word | (some >> shift & mask) << (width * plane));
            }
            std::memcpy(bytes + run + i, &word, sizeof word);
        }
    }
}

}  // namespace ggufkit::quant
