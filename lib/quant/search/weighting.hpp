// How much an error at each element counts. spec/quantizers.md says why.
#pragma once

#include <cstdint>

namespace ggufkit::quant {

// Without an importance matrix, of the sub-block:
enum class Weighting : std::uint8_t {
    linear,  // rms + |x|
    square,  // 4 rms^2 + x^2
    flat,    // 2 rms + |x|
    none,    // 1; and importance counts as it is
};

// With one: importance * sqrt(spread + x^2), the spread so many times the mean square of a super-block.
constexpr float importance_spread(Weighting weighting) { return weighting == Weighting::flat ? 2.0f : 8.0f; }

// Added to every weight, so that sums of weights can be divided by. Values are about 1 in their unit.
inline constexpr float least_weight = 0x1p-40f;

}  // namespace ggufkit::quant
