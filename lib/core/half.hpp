// binary16 and bfloat16, by integer arithmetic, so that every compiler and CPU gives the same bits.
// Always inlined: a call from a kernel into code that was compiled for another target would cost far more.
#pragma once

#include <bit>
#include <cstdint>

namespace ggufkit {

// Exact; NaN payloads are kept, shifted. Masks rather than branches, so that a loop of these becomes vectors.
[[gnu::always_inline]] constexpr float half_to_float(std::uint16_t half) noexcept {
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    const std::uint32_t exponent = half & 0x7c00u;
    const std::uint32_t magnitude = half & 0x7fffu;
    // Zero or subnormal: exact. As an int, which every target can convert.
    const float small = static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24f;
    const std::uint32_t rebased = (magnitude << 13) + (exponent == 0x7c00u ? 0x70000000u : 0x38000000u);
    const std::uint32_t is_small = exponent == 0 ? ~0u : 0u;
    return std::bit_cast<float>(sign | (std::bit_cast<std::uint32_t>(small) & is_small) | (rebased & ~is_small));
}

// The same for one that stands alone, as the scale of a block does: few are zero, subnormal, infinite or NaN, and a branch is
// cheaper than to be ready for them.
[[gnu::always_inline]] constexpr float lone_half_to_float(std::uint16_t half) noexcept {
    const std::uint32_t exponent = half & 0x7c00u;
    if (exponent == 0 || exponent == 0x7c00u) [[unlikely]]
        return half_to_float(half);
    const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000u) << 16;
    const std::uint32_t magnitude = half & 0x7fffu;
    return std::bit_cast<float>(sign | ((magnitude << 13) + 0x38000000u));
}

// Round to nearest, ties to even; overflow gives infinity, NaN stays a (quiet) NaN.
[[gnu::always_inline]] constexpr std::uint16_t float_to_half(float value) noexcept {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    const std::uint32_t sign = bits >> 16 & 0x8000u;
    const std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u) return static_cast<std::uint16_t>(sign | 0x7e00u);
    if (magnitude >= 0x47800000u) return static_cast<std::uint16_t>(sign | 0x7c00u);  // 65536 and up, infinity
    if (magnitude <
        0x38800000u) {  // below 2^-14: subnormal. Adding 0.5 aligns the last bit with 2^-24 and rounds as floats do.
        const float aligned = std::bit_cast<float>(magnitude) + 0.5f;
        return static_cast<std::uint16_t>(sign | (std::bit_cast<std::uint32_t>(aligned) - 0x3f000000u));
    }
    const std::uint32_t rounded =
        magnitude + 0xfffu + (magnitude >> 13 & 1u);  // may carry up to infinity, as it should
    return static_cast<std::uint16_t>(sign | ((rounded - 0x38000000u) >> 13));
}

[[gnu::always_inline]] constexpr float bfloat_to_float(std::uint16_t value) noexcept {
    return std::bit_cast<float>(static_cast<std::uint32_t>(value) << 16);
}

// Round to nearest, ties to even; NaN stays a (quiet) NaN.
[[gnu::always_inline]] constexpr std::uint16_t float_to_bfloat(float value) noexcept {
    const std::uint32_t bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u) return static_cast<std::uint16_t>(bits >> 16 | 64u);
    return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

}  // namespace ggufkit
