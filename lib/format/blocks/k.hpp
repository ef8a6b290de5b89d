// The k-quants: super-blocks of 256 elements in sub-blocks of 16 or 32, whose scales are themselves quantized.
//
// Two-bit codes (Q2_K, the low bits of Q3_K, the high bits of Q6_K) lie in planes: one byte holds four elements that
// are 32 apart, so that 32 consecutive bytes shifted alike give 32 consecutive elements.
//
//     bits of qs[32*h + r]    7..6            5..4           3..2           1..0
//     element                 128h + 96 + r   128h + 64 + r  128h + 32 + r  128h + r        r = 0..31, h = 0..1
#pragma once

#include <bit>
#include <cstring>
#include <utility>

#include "format/code_groups.hpp"
#include "format/packed.hpp"

namespace ggufkit::format {

// Two words of four bytes each, in one store: a load of all eight that follows would else have to wait for both.
inline void store_words(std::uint32_t first, std::uint32_t second, std::uint8_t* to) noexcept {
    if constexpr (std::endian::native == std::endian::big) std::swap(first, second);
    const std::uint64_t both = first | std::uint64_t{second} << 32;
    std::memcpy(to, &both, sizeof both);
}

// Eight scales and eight minima of 6 bits in 12 bytes (Q4_K, Q5_K).
//
//     byte   0..3 (k = 0..3)          4..7 (k = 0..3)          8..11 (k = 0..3)
//     bits   7..6        5..0         7..6        5..0         7..4             3..0
//            scale k+4   scale k      min k+4     min k        min k+4          scale k+4
//            (bits 5..4)              (bits 5..4)              (bits 3..0)      (bits 3..0)
struct ScalesAndMins {
    std::uint8_t bytes[12];

    constexpr int scale(int k) const noexcept {
        return k < 4 ? bytes[k] & 63 : (bytes[k + 4] & 15) | (bytes[k - 4] >> 6) << 4;
    }
    constexpr int min(int k) const noexcept {
        return k < 4 ? bytes[k + 4] & 63 : bytes[k + 4] >> 4 | (bytes[k] >> 6) << 4;
    }
    // All of them, four bytes at a time.
    void get(std::uint8_t (&scale)[8], std::uint8_t (&min)[8]) const noexcept {
        std::uint32_t s, m, high;
        std::memcpy(&s, bytes, 4);
        std::memcpy(&m, bytes + 4, 4);
        std::memcpy(&high, bytes + 8, 4);
        store_words(s & 0x3f3f3f3f, (high & 0x0f0f0f0f) | (s >> 2 & 0x30303030), scale);
        store_words(m & 0x3f3f3f3f, (high >> 4 & 0x0f0f0f0f) | (m >> 2 & 0x30303030), min);
    }
    // Writes all: scale[k] and min[k] are 0..63.
    void set(const std::uint8_t (&scale)[8], const std::uint8_t (&min)[8]) noexcept {
        std::uint32_t scales[2], mins[2];
        std::memcpy(scales, scale, 8);
        std::memcpy(mins, min, 8);
        const std::uint32_t words[3] = {scales[0] | (scales[1] << 2 & 0xc0c0c0c0),
                                        mins[0] | (mins[1] << 2 & 0xc0c0c0c0),
                                        (scales[1] & 0x0f0f0f0f) | (mins[1] << 4 & 0xf0f0f0f0)};
        std::memcpy(bytes, words, 12);
    }
};

// Sixteen scales of 6 bits, -32..31, in 12 bytes (Q3_K). Stored with 32 added.
//
//     byte   0..7 (k = 0..7)          8..11 (k = 0..3)
//     bits   7..4        3..0         7..6        5..4        3..2       1..0
//            scale k+8   scale k      scale k+12  scale k+8   scale k+4  scale k
//            (bits 3..0)              (bits 5..4 of each)
struct SignedScales {
    std::uint8_t bytes[12];

    constexpr int scale(int k) const noexcept {
        const int low = k < 8 ? bytes[k] & 15 : bytes[k - 8] >> 4;
        const int high = bytes[8 + k % 4] >> (2 * (k / 4)) & 3;
        return (low | high << 4) - 32;
    }
    // All of them with 32 added, four bytes at a time.
    void get(std::uint8_t (&scale)[16]) const noexcept {
        std::uint32_t low[2], high;
        std::memcpy(low, bytes, 8);
        std::memcpy(&high, bytes + 8, 4);
        store_words((low[0] & 0x0f0f0f0f) | (high << 4 & 0x30303030), (low[1] & 0x0f0f0f0f) | (high << 2 & 0x30303030),
                    scale);
        store_words((low[0] >> 4 & 0x0f0f0f0f) | (high & 0x30303030),
                    (low[1] >> 4 & 0x0f0f0f0f) | (high >> 2 & 0x30303030), scale + 8);
    }
    // Writes all: scale[k] is -32..31.
    constexpr void set(const std::int8_t (&scale)[16]) noexcept {
        for (std::uint8_t& byte : bytes) byte = 0;
        for (int k = 0; k < 16; ++k) {
            const int code = scale[k] + 32;
            bytes[k % 8] = static_cast<std::uint8_t>(bytes[k % 8] | (code & 15) << (4 * (k / 8)));
            bytes[8 + k % 4] = static_cast<std::uint8_t>(bytes[8 + k % 4] | (code >> 4) << (2 * (k / 4)));
        }
    }
};

//     0             16             80   82     84
//     | scales[16]  | qs[64]       | d  | dmin |        x = d * scale * code - dmin * min
// Sub-blocks of 16: scales[k] holds the scale in its low nibble, the min in its high nibble. qs are planes of codes.
struct BlockQ2_K {
    static constexpr auto type = TensorType::Q2_K;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 16, .least = 0, .most = 3, .mins = true};
    std::uint8_t scales[16];
    std::uint8_t qs[64];
    Half d;
    Half dmin;
};
static_assert(PackedBlock<BlockQ2_K, 84>);

//     0            32            96            108  110
//     | hmask[32]  | qs[64]      | scales[12]  | d  |        x = d * scale * (code - 4)
// Sub-blocks of 16. Bits 1..0 of a code lie in the planes of qs; bit 2 of element j is bit j/32 of hmask[j%32].
struct BlockQ3_K {
    static constexpr auto type = TensorType::Q3_K;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 16, .least = 0, .most = 7, .zero = 4};
    std::uint8_t hmask[32];
    std::uint8_t qs[64];
    SignedScales scales;
    Half d;
};
static_assert(PackedBlock<BlockQ3_K, 110>);

//     0    2      4             16             144
//     | d  | dmin | scales[12]  | qs[128]      |        x = d * scale * code - dmin * min
// Sub-blocks of 32, two of them in 32 bytes of qs: byte 32g + l holds element 64g + l in its low nibble and element
// 64g + 32 + l in its high nibble.
struct BlockQ4_K {
    static constexpr auto type = TensorType::Q4_K;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = 0, .most = 15, .mins = true};
    Half d;
    Half dmin;
    ScalesAndMins scales;
    std::uint8_t qs[128];
};
static_assert(PackedBlock<BlockQ4_K, 144>);

//     0    2      4             16         48             176
//     | d  | dmin | scales[12]  | qh[32]   | qs[128]      |        x = d * scale * code - dmin * min
// As Q4_K, and bit 4 of the code of element j is bit j/32 of qh[j%32].
struct BlockQ5_K {
    static constexpr auto type = TensorType::Q5_K;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = 0, .most = 31, .mins = true};
    Half d;
    Half dmin;
    ScalesAndMins scales;
    std::uint8_t qh[32];
    std::uint8_t qs[128];
};
static_assert(PackedBlock<BlockQ5_K, 176>);

//     0            128          192           208  210
//     | ql[128]    | qh[64]     | scales[16]  | d  |        x = d * scale * (code - 32)
// Sub-blocks of 16. Within each half h of 128 elements the low nibbles of elements r and r + 64 share the byte
// ql[64h + r], r = 0..63; bits 5..4 of the codes lie in the planes of qh.
struct BlockQ6_K {
    static constexpr auto type = TensorType::Q6_K;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 16, .least = 0, .most = 63, .zero = 32};
    std::uint8_t ql[128];
    std::uint8_t qh[64];
    std::int8_t scales[16];
    Half d;
};
static_assert(PackedBlock<BlockQ6_K, 210>);

//     0         4            260            292
//     | d       | qs[256]    | bsums[16]    |        x = d * qs[j]
// Activations only. bsums[k] is the sum of the codes of sub-block k of 16.
struct BlockQ8_K {
    static constexpr auto type = TensorType::Q8_K;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = -128, .most = 127};
    Single d;
    std::int8_t qs[256];
    Little<std::int16_t> bsums[16];
};
static_assert(PackedBlock<BlockQ8_K, 292>);

}  // namespace ggufkit::format
