// Four-bit floating point: codes are E2M1 (sign, two exponent bits, one mantissa bit), scales are small floats.
#pragma once

#include "format/code_groups.hpp"
#include "format/packed.hpp"

namespace ggufkit::format {

// A power of two, 2^(bits - 127). 255 is NaN.
struct E8M0 {
    std::uint8_t bits;
    // Half the scale, 2^(bits - 128): the table of codes is doubled to stay in integers. 0 and 1 are subnormal floats.
    constexpr float half() const noexcept {
        const std::uint32_t e = bits;
        return std::bit_cast<float>(e < 2 ? 0x00200000u << e : (e - 1) << 23);
    }
    // The bits of the scale at or below `value`, and of the last one that keeps 6 times it finite.
    static constexpr int below(float value) noexcept {
        return static_cast<int>(std::bit_cast<std::uint32_t>(value) >> 23);
    }
    static constexpr int last = 252;
};

// An unsigned float of four exponent and three mantissa bits; bit 7 is ignored. 0x7f is NaN and reads as 0, but 0xff
// reads as 480: so the reference has it.
struct UE4M3 {
    std::uint8_t bits;
    // Half the scale, for the doubled table of codes.
    constexpr float half() const noexcept {
        const std::uint32_t exponent = bits >> 3 & 15u;
        const std::uint32_t mantissa = bits & 7u;
        if (bits == 0x7f) return 0.0f;
        if (exponent == 0) return static_cast<float>(mantissa) * 0x1p-10f;
        return std::bit_cast<float>((exponent + 119) << 23 | mantissa << 20);
    }
    // The bits of the scale at or below `value`, and of the last one that is a number.
    static constexpr int below(float value) noexcept {
        if (value < 0x1p-6f) return static_cast<int>(value * 0x1p9f);
        const int bits = static_cast<int>(std::bit_cast<std::uint32_t>(value) >> 20) - (120 << 3);
        return bits < last ? bits : last;
    }
    static constexpr int last = 0x7e;
};

//     0   1                17
//     | e | qs[16]         |        x = 2^(e - 127) * E2M1(code)
// Half-split nibbles.
struct BlockMXFP4 {
    static constexpr auto type = TensorType::MXFP4;
    static constexpr std::uint32_t elements = 32;
    static constexpr CodeGroups code_groups{.size = 32, .least = -12, .most = 12};
    static constexpr float largest = 0x1.8p127f;  // 6 times the scale of E8M0::last
    E8M0 e;
    std::uint8_t qs[16];
};
static_assert(PackedBlock<BlockMXFP4, 17>);

//     0       4                36
//     | d[4]  | qs[32]         |        x = d[k] * E2M1(code)
// Four sub-blocks of 16: sub-block k has scale d[k] and the half-split nibbles qs[8k .. 8k+7].
struct BlockNVFP4 {
    static constexpr auto type = TensorType::NVFP4;
    static constexpr std::uint32_t elements = 64;
    static constexpr CodeGroups code_groups{.size = 16, .least = -12, .most = 12};
    static constexpr float largest = 2688;  // 6 times the scale of UE4M3::last, which is 448
    UE4M3 d[4];
    std::uint8_t qs[32];
};
static_assert(PackedBlock<BlockNVFP4, 36>);

}  // namespace ggufkit::format
