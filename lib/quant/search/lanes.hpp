// Four sub-blocks side by side.
//
// Every search here treats sub-blocks alike, so they share the lanes of a vector: lane k is sub-block k, and a sum over
// the elements of a sub-block is added up in the order of the elements, as a plain loop would. The numbers therefore do
// not depend on how many lanes a CPU has. Arithmetic is IEEE single precision, without fused multiply-adds.
#pragma once

#include <cmath>
#include <cstdint>
#ifdef __SSE__
#include <xmmintrin.h>
#endif

namespace ggufkit::quant {

inline constexpr int lane_count = 4;
using Lanes = float __attribute__((vector_size(4 * lane_count)));
using LaneMask = std::int32_t __attribute__((vector_size(4 * lane_count)));

inline Lanes splat(float value) { return Lanes{} + value; }
inline Lanes select(LaneMask mask, Lanes yes, Lanes no) { return mask ? yes : no; }
#ifdef __SSE__  // g++ 12 makes four instructions of what is one
inline Lanes smaller(Lanes a, Lanes b) { return _mm_min_ps(a, b); }
inline Lanes larger(Lanes a, Lanes b) { return _mm_max_ps(a, b); }
#else
inline Lanes smaller(Lanes a, Lanes b) { return a < b ? a : b; }
inline Lanes larger(Lanes a, Lanes b) { return a > b ? a : b; }
#endif
inline Lanes magnitude(Lanes a) { return larger(a, -a); }
inline Lanes clamp(Lanes a, int low, int high) {
    return smaller(larger(a, splat(static_cast<float>(low))), splat(static_cast<float>(high)));
}
inline Lanes square_root(Lanes a) {
    for (int k = 0; k < lane_count; ++k) a[k] = std::sqrt(a[k]);
    return a;
}

// To the nearest integer, ties to even; for magnitudes below 2^22, which codes and scales are far below.
inline Lanes round(Lanes a) {
    constexpr float shift = 0x1.8p23f;
    return (a + shift) - shift;
}

// a / b, or 0 where b is too small to divide by.
inline Lanes ratio(Lanes a, Lanes b) {
    const LaneMask usable = magnitude(b) > splat(0x1p-100f);
    return select(usable, a / select(usable, b, splat(1)), Lanes{});
}

// Element i of the sub-blocks in the lanes, and its weight, which is positive.
template <int n>
struct LaneGroup {
    Lanes x[n];
    Lanes w[n];
};

// Codes that are to be round(x * inverse + offset), between low and high.
template <int n>
inline Lanes code_of(const LaneGroup<n>& g, int i, Lanes inverse, Lanes offset, int low, int high) {
    return clamp(round(g.x[i] * inverse + offset), low, high);
}

// Writes them, less `low`: the n codes of lane 0, then those of lane 1, ….
template <int n>
void write_codes(const LaneGroup<n>& g, Lanes inverse, Lanes offset, int low, int high, std::uint8_t* codes) {
    for (int i = 0; i < n; ++i) {
        const Lanes code = code_of(g, i, inverse, offset, low, high);
        const auto integer = __builtin_convertvector(code, LaneMask) - low;
        for (int k = 0; k < lane_count; ++k) codes[k * n + i] = static_cast<std::uint8_t>(integer[k]);
    }
}

}  // namespace ggufkit::quant
