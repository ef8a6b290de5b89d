// How much an error at each element counts.
#pragma once

#include "quant/search/lanes.hpp"

namespace ggufkit::quant {

// Added to every weight, so that sums of weights can be divided by. Values are about 1 in their unit.
inline constexpr float least_weight = 0x1p-40f;

template <int n>
Lanes mean_square(const LaneGroup<n>& g) {
    Lanes sum{};
    for (int i = 0; i < n; ++i) sum += g.x[i] * g.x[i];
    return sum * (1.0f / n);
}

// The weights of elements that nothing else is known of. Large ones count more, small ones not much less.
enum class Weighting : std::uint8_t {
    linear,  // rms + |x|, of the sub-block
    square,  // 3 rms^2 + x^2
};

template <int n>
void weigh(LaneGroup<n>& g, Weighting weighting) {
    const Lanes mean = mean_square(g);
    if (weighting == Weighting::square) {
        const Lanes base = 3.0f * mean + least_weight;
        for (int i = 0; i < n; ++i) g.w[i] = base + g.x[i] * g.x[i];
    } else {
        const Lanes base = square_root(mean) + least_weight;
        for (int i = 0; i < n; ++i) g.w[i] = base + magnitude(g.x[i]);
    }
}

// The weights where an importance matrix knows more: importance * sqrt(spread + x^2). g.w holds the importance on
// entry.
template <int n>
void weigh_importance(LaneGroup<n>& g, Lanes spread) {
    for (int i = 0; i < n; ++i) g.w[i] = g.w[i] * square_root(spread + g.x[i] * g.x[i]) + least_weight;
}

}  // namespace ggufkit::quant
