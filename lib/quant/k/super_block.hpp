// 256 values as the searches want them: sub-blocks in lanes, in a unit of their own, weighted.
#pragma once

#include <algorithm>
#include <cmath>

#include "quant/search/lanes.hpp"
#include "quant/search/magnitude.hpp"
#include "quant/search/weights.hpp"

namespace ggufkit::quant {

inline constexpr int super_block_size = 256;

// Adds what is in the lanes, the first first.
inline void add(float& sum, Lanes a) {
    for (int k = 0; k < lane_count; ++k) sum += a[k];
}

// Sub-block k of what is kept in lanes, group after group.
template <int groups>
float sub_block(const Lanes (&lanes)[groups], int k) {
    return lanes[k / lane_count][k % lane_count];
}

template <int n>
struct SuperBlock {
    static constexpr int count = super_block_size / n;
    static constexpr int groups = count / lane_count;

    Unit unit;
    LaneGroup<n> group[groups];

    // `importance` is null or weighs the same 256 elements.
    SuperBlock(const float* x, const float* importance, Weighting weighting) {
        unit = Unit::of(x, super_block_size);
        for (int g = 0; g < groups; ++g) {
            to_lanes(x + g * lane_count * n, unit.inverse, group[g].x);
            if (!importance) weigh(group[g], weighting);
        }
        if (importance) weigh_by(importance);
    }

  private:
    static void to_lanes(const float* from, float factor, Lanes (&to)[n]) {
        for (int i = 0; i < n; ++i) {
            for (int k = 0; k < lane_count; ++k) to[i][k] = from[k * n + i] * factor;
        }
    }
    void weigh_by(const float* importance) {
        float mean = 0;
        for (const LaneGroup<n>& g : group) add(mean, mean_square(g) * (1.0f / count));
        const float factor = Unit::of(importance, super_block_size).inverse;
        for (int g = 0; g < groups; ++g) {
            to_lanes(importance + g * lane_count * n, factor, group[g].w);
            weigh_importance(group[g], splat(2.0f * mean));
        }
    }
};

}  // namespace ggufkit::quant
