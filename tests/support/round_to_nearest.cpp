#include "support/round_to_nearest.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/half.hpp"

namespace ggufkit::test {

namespace {

float to_half_and_back(float value) { return half_to_float(float_to_half(value)); }

// `scales` as multiples of a half, the largest of which is `largest` times it.
std::vector<float> rounded_scales(std::vector<float> scales, int largest) {
    if (largest == 1) {
        for (float& scale : scales) scale = to_half_and_back(scale);
        return scales;
    }
    float most = 0;
    for (const float scale : scales) most = std::max(most, std::abs(scale));
    const float unit = to_half_and_back(most / static_cast<float>(largest));
    for (float& scale : scales) scale = unit > 0 ? unit * std::nearbyint(scale / unit) : 0;
    return scales;
}

}  // namespace

std::vector<float> round_to_nearest(const Rounding& shape, std::span<const float> values) {
    std::vector<float> copy(values.size());
    const float low = shape.symmetric ? -static_cast<float>(shape.levels / 2) : 0.0f;
    const float high = low + static_cast<float>(shape.levels - 1);
    for (std::size_t at = 0; at < values.size(); at += shape.block) {
        std::vector<float> scales, mins;
        for (std::size_t sub = at; sub < at + shape.block; sub += shape.sub_block) {
            const auto x = values.subspan(sub, shape.sub_block);
            const auto [lowest, highest] = std::ranges::minmax(x);
            const float min = shape.symmetric ? 0.0f : shape.largest_scale > 1 ? std::min(lowest, 0.0f) : lowest;
            const float peak = -lowest > highest ? lowest : highest;
            mins.push_back(-min);
            scales.push_back(shape.symmetric ? peak / low : (highest - min) / high);
        }
        scales = rounded_scales(std::move(scales), shape.largest_scale);
        mins = rounded_scales(std::move(mins), shape.largest_scale);
        for (std::size_t i = at; i < at + shape.block; ++i) {
            const float scale = scales[(i - at) / shape.sub_block];
            const float min = mins[(i - at) / shape.sub_block];
            const float code = scale != 0 ? std::clamp(std::nearbyint((values[i] + min) / scale), low, high) : 0.0f;
            copy[i] = scale * code - min;
        }
    }
    return copy;
}

}  // namespace ggufkit::test
