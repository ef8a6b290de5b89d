// The first generation: 32 elements, one scale d and, in the _1 types, one minimum m.
//
// Nibbles are half-split here and in IQ4_NL, IQ4_XS, MXFP4 and NVFP4: of n codes in n/2 bytes, byte j holds code j in
// its low nibble and code j + n/2 in its high nibble.
//
//     qs     byte 0       byte 1       …   byte 15
//     bits   7..4  3..0   7..4  3..0       7..4  3..0
//     code    16     0     17     1         31    15
#pragma once

#include "format/code_groups.hpp"
#include "format/packed.hpp"

namespace ggufkit::format {

//     0    2                18
//     | d  | qs[16]         |        x = (code - 8) * d
struct BlockQ4_0 {
    static constexpr auto type = TensorType::Q4_0;
    static constexpr std::uint32_t elements = 32;
    static constexpr CodeGroups code_groups{.size = 32, .least = 0, .most = 15, .zero = 8};
    Half d;
    std::uint8_t qs[16];
};
static_assert(PackedBlock<BlockQ4_0, 18>);

//     0    2    4                20
//     | d  | m  | qs[16]         |        x = code * d + m
struct BlockQ4_1 {
    static constexpr auto type = TensorType::Q4_1;
    static constexpr std::uint32_t elements = 32;
    static constexpr CodeGroups code_groups{.size = 32, .least = 0, .most = 15, .mins = true};
    Half d;
    Half m;
    std::uint8_t qs[16];
};
static_assert(PackedBlock<BlockQ4_1, 20>);

//     0    2         6                22
//     | d  | qh      | qs[16]         |        x = (code - 16) * d
// Bit j of qh is bit 4 of code j; qs holds the low nibbles.
struct BlockQ5_0 {
    static constexpr auto type = TensorType::Q5_0;
    static constexpr std::uint32_t elements = 32;
    static constexpr CodeGroups code_groups{.size = 32, .least = 0, .most = 31, .zero = 16};
    Half d;
    Little<std::uint32_t> qh;
    std::uint8_t qs[16];
};
static_assert(PackedBlock<BlockQ5_0, 22>);

//     0    2    4         8                24
//     | d  | m  | qh      | qs[16]         |        x = code * d + m
struct BlockQ5_1 {
    static constexpr auto type = TensorType::Q5_1;
    static constexpr std::uint32_t elements = 32;
    static constexpr CodeGroups code_groups{.size = 32, .least = 0, .most = 31, .mins = true};
    Half d;
    Half m;
    Little<std::uint32_t> qh;
    std::uint8_t qs[16];
};
static_assert(PackedBlock<BlockQ5_1, 24>);

//     0    2                34
//     | d  | qs[32]         |        x = qs[j] * d
struct BlockQ8_0 {
    static constexpr auto type = TensorType::Q8_0;
    static constexpr std::uint32_t elements = 32;
    static constexpr CodeGroups code_groups{.size = 32, .least = -128, .most = 127};
    Half d;
    std::int8_t qs[32];
};
static_assert(PackedBlock<BlockQ8_0, 34>);

//     0    2    4                36
//     | d  | s  | qs[32]         |        x = qs[j] * d
// Activations only. s is d times the sum of the codes, which a dot product with a _1 type needs.
struct BlockQ8_1 {
    static constexpr auto type = TensorType::Q8_1;
    static constexpr std::uint32_t elements = 32;
    static constexpr CodeGroups code_groups{.size = 32, .least = -128, .most = 127};
    Half d;
    Half s;
    std::int8_t qs[32];
};
static_assert(PackedBlock<BlockQ8_1, 36>);

}  // namespace ggufkit::format
