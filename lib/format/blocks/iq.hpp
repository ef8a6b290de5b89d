// The IQ types: groups of 4 or 8 elements are points of a codebook (iq/codebooks.hpp), or, in the IQ4 types, single
// elements are entries of a table of 16 unevenly spaced values.
//
// A 7-bit sign code stands for 8 signs: bit i set makes element i negative, and bit 7 is chosen so that their number is
// even.
#pragma once

#include "format/code_groups.hpp"
#include "format/packed.hpp"

namespace ggufkit::format {

//     0    2                              66
//     | d  | groups[8], 32 elements each  |        x = d * (scale + 1/2) / 4 * grid * sign
//
//     group   0          1          2          3          4        …        7
//             index[0]   index[1]   index[2]   index[3]   31..28  27..21  20..14  13..7   6..0
//                                                         scale   signs3  signs2  signs1  signs0
struct BlockIQ2_XXS {
    static constexpr auto type = TensorType::IQ2_XXS;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = -43, .most = 43};
    struct Group {
        std::uint8_t index[4];  // of 8 elements each
        Little<std::uint32_t> signs_and_scale;
    };
    Half d;
    Group groups[8];
};
static_assert(PackedBlock<BlockIQ2_XXS, 66>);

//     0    2                66           74
//     | d  | qs[32]         | scales[8]  |        x = d * (scale + 1/2) / 4 * grid * sign
// Each qs is 8 elements: bits 15..9 the sign code, bits 8..0 the index. Sub-blocks of 16: two nibbles a byte of scales.
struct BlockIQ2_XS {
    static constexpr auto type = TensorType::IQ2_XS;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 16, .least = -43, .most = 43};
    Half d;
    Little<std::uint16_t> qs[32];
    std::uint8_t scales[8];
};
static_assert(PackedBlock<BlockIQ2_XS, 74>);

//     0    2           34          66       74           82
//     | d  | qs[32]    | signs[32] | qh[8]  | scales[8]  |        x = d * (scale + 1/2) / 4 * grid * sign
// Index i of 8 elements: bits 7..0 are qs[i], bits 9..8 are bits 2*(i%4)+1 .. 2*(i%4) of qh[i/4]. A sign bit an
// element. Sub-blocks of 16 as in IQ2_XS.
struct BlockIQ2_S {
    static constexpr auto type = TensorType::IQ2_S;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 16, .least = -43, .most = 43};
    Half d;
    std::uint8_t qs[32];
    std::uint8_t signs[32];
    std::uint8_t qh[8];
    std::uint8_t scales[8];
};
static_assert(PackedBlock<BlockIQ2_S, 82>);

//     0    2           66                    98
//     | d  | qs[64]    | signs_and_scale[8]  |        x = d * (scale + 1/2) / 2 * grid * sign
// Each qs is the index of 4 elements. A word a sub-block of 32, as in IQ2_XXS.
struct BlockIQ3_XXS {
    static constexpr auto type = TensorType::IQ3_XXS;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = -62, .most = 62};
    Half d;
    std::uint8_t qs[64];
    Little<std::uint32_t> signs_and_scale[8];
};
static_assert(PackedBlock<BlockIQ3_XXS, 98>);

//     0    2           66       74           106          110
//     | d  | qs[64]    | qh[8]  | signs[32]  | scales[4]  |        x = d * (2 scale + 1) * grid * sign
// Index i of 4 elements: bits 7..0 are qs[i], bit 8 is bit i%8 of qh[i/8]. A sign bit an element. Sub-blocks of 32: two
// nibbles a byte of scales.
struct BlockIQ3_S {
    static constexpr auto type = TensorType::IQ3_S;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = -15, .most = 15};
    Half d;
    std::uint8_t qs[64];
    std::uint8_t qh[8];
    std::uint8_t signs[32];
    std::uint8_t scales[4];
};
static_assert(PackedBlock<BlockIQ3_S, 110>);

//     0    2           34           50
//     | d  | qs[32]    | qh[8]      |        x = d * (2 scale + 1) * (grid ± 1/8)
//
//     qh[g], 32 elements     15          14..12   11..9   8..6   5..3   2..0
//                            minus 1/8   scale    bits 10..8 of the indices 4g+3, 4g+2, 4g+1, 4g
struct BlockIQ1_S {
    static constexpr auto type = TensorType::IQ1_S;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = -9, .most = 9};
    Half d;
    std::uint8_t qs[32];
    Little<std::uint16_t> qh[8];
};
static_assert(PackedBlock<BlockIQ1_S, 50>);

// The scales of IQ1_M: sixteen of 3 bits, and in the top nibbles one binary16 that scales them all.
//
//     word w     15..12              11..9          8..6           5..3           2..0
//                bits of d           scale 4w+3     scale 4w+2     scale 4w+1     scale 4w
//                4w+3 .. 4w
struct ScalesAroundHalf {
    Little<std::uint16_t> words[4];

    constexpr std::uint16_t half_bits() const noexcept {
        unsigned bits = 0;
        for (unsigned w = 0; w < 4; ++w) bits |= static_cast<unsigned>(words[w].get() >> 12) << 4 * w;
        return static_cast<std::uint16_t>(bits);
    }
    constexpr float d() const noexcept { return half_to_float(half_bits()); }
    constexpr int scale(int k) const noexcept { return words[k / 4].get() >> (3 * (k % 4)) & 7; }
};

//     0           32          48               56
//     | qs[32]    | qh[16]    | scales (4 u16) |        x = d * (2 scale + 1) * (grid ± 1/8)
// Index i of 8 elements: bits 7..0 are qs[i]; a nibble i of qh holds bits 10..8 and, in its bit 3, "minus 1/8".
// Sub-blocks of 16.
struct BlockIQ1_M {
    static constexpr auto type = TensorType::IQ1_M;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 16, .least = -9, .most = 9};
    std::uint8_t qs[32];
    std::uint8_t qh[16];
    ScalesAroundHalf scales;
};
static_assert(PackedBlock<BlockIQ1_M, 56>);

//     0    2                18
//     | d  | qs[16]         |        x = d * table[code]
// Half-split nibbles.
struct BlockIQ4_NL {
    static constexpr auto type = TensorType::IQ4_NL;
    static constexpr std::uint32_t elements = 32;
    static constexpr CodeGroups code_groups{.size = 32, .least = -127, .most = 113};
    Half d;
    std::uint8_t qs[16];
};
static_assert(PackedBlock<BlockIQ4_NL, 18>);

//     0    2           4             8              136
//     | d  | scales_h  | scales_l[4] | qs[128]      |        x = d * (scale - 32) * table[code]
// Sub-block k of 32: bits 3..0 of its scale are a nibble of scales_l[k/2], bits 5..4 are bits 2k+1 .. 2k of scales_h;
// its codes are the half-split nibbles qs[16k .. 16k+15].
struct BlockIQ4_XS {
    static constexpr auto type = TensorType::IQ4_XS;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = -127, .most = 113};
    Half d;
    Little<std::uint16_t> scales_h;
    std::uint8_t scales_l[4];
    std::uint8_t qs[128];

    constexpr int scale(int k) const noexcept {
        return (scales_l[k / 2] >> (4 * (k % 2)) & 15) | (scales_h.get() >> (2 * k) & 3) << 4;
    }
};
static_assert(PackedBlock<BlockIQ4_XS, 136>);

}  // namespace ggufkit::format
