// Values are searched in units of a power of two near their largest magnitude: no sum of products then overflows or
// vanishes, and the unit is exact to apply and to remove.
//
// Kernels use these functions between vectors, where a call into code that was compiled for another target costs far more
// than they do: hence they are always inlined.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "core/half.hpp"

namespace ggufkit::quant {

struct Unit {
    float size = 1;
    float inverse = 1;

    // What is far below any binary16 needs no unit of its own.
    static constexpr int least_for_half = -40, least = -126;

    // The unit for values up to `peak` in magnitude, 2^least_exponent or larger.
    [[gnu::always_inline]] static Unit of(float peak, int least_exponent = least_for_half) {
        const auto exponent = static_cast<int>(std::bit_cast<std::uint32_t>(peak) >> 23) - 127;
        const int k = std::clamp(exponent, least_exponent, 126);
        return {std::bit_cast<float>(static_cast<std::uint32_t>(127 + k) << 23),
                std::bit_cast<float>(static_cast<std::uint32_t>(127 - k) << 23)};
    }

    // The finite binary16 nearest to `value` units, in units.
    [[gnu::always_inline]] float nearest_half(float value) const {
        constexpr float largest = 65504;
        return half_to_float(float_to_half(std::clamp(value * size, -largest, largest))) * inverse;
    }
    // Whether `value` units, rounded to binary16, would be infinite.
    [[gnu::always_inline]] bool overflows_half(float value) const { return std::abs(value * size) >= 65520; }
};

}  // namespace ggufkit::quant
