// Formats of one to two bits for models that were trained to have so few levels: one scale a block, no search.
#pragma once

#include "format/code_groups.hpp"
#include "format/packed.hpp"

namespace ggufkit::format {

//     0            48        52   54
//     | qs[48]     | qh[4]   | d  |        x = (trit - 1) * d
// Five trits a byte in qs, four in qh. A byte is a fraction of 256: multiplied by 3 its integer part is the first trit,
// and what remains below 256 holds the next. The trits of a byte are as far apart as there are bytes in its run:
//
//     trit n of          is element
//     qs[m],      m < 32     32 n + m
//     qs[32 + m], m < 16     160 + 16 n + m
//     qh[m],      m < 4      240 + 4 n + m
struct BlockTQ1_0 {
    static constexpr auto type = TensorType::TQ1_0;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = 0, .most = 2, .zero = 1};
    std::uint8_t qs[48];
    std::uint8_t qh[4];
    Half d;
};
static_assert(PackedBlock<BlockTQ1_0, 54>);

//     0            64   66
//     | qs[64]     | d  |        x = (code - 1) * d
// Two-bit codes in planes, as in Q2_K.
struct BlockTQ2_0 {
    static constexpr auto type = TensorType::TQ2_0;
    static constexpr std::uint32_t elements = 256;
    static constexpr CodeGroups code_groups{.size = 32, .least = 0, .most = 3, .zero = 1};
    std::uint8_t qs[64];
    Half d;
};
static_assert(PackedBlock<BlockTQ2_0, 66>);

//     0    2            18
//     | d  | qs[16]     |        x = bit ? d : -d
// Element j is bit j%8 of qs[j/8].
struct BlockQ1_0 {
    static constexpr auto type = TensorType::Q1_0;
    static constexpr std::uint32_t elements = 128;
    static constexpr CodeGroups code_groups{.size = 32, .least = -1, .most = 1};
    Half d;
    std::uint8_t qs[16];
};
static_assert(PackedBlock<BlockQ1_0, 18>);

//     0    2            18
//     | d  | qs[16]     |        x = (code - 1) * d
// Element j is the bits 2*(j%4)+1 .. 2*(j%4) of qs[j/4].
struct BlockQ2_0 {
    static constexpr auto type = TensorType::Q2_0;
    static constexpr std::uint32_t elements = 64;
    static constexpr CodeGroups code_groups{.size = 32, .least = 0, .most = 3, .zero = 1};
    Half d;
    std::uint8_t qs[16];
};
static_assert(PackedBlock<BlockQ2_0, 18>);

}  // namespace ggufkit::format
