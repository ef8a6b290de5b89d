// Quantization as plainly as can be: scales from the range, everything rounded to nearest, no search. What a search
// must never be worse than. It works on values only and packs nothing.
#pragma once

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <ggufkit/format.hpp>

#include "core/half.hpp"

namespace ggufkit::test {

struct Shape {
    TensorType type;
    std::size_t block;
    std::size_t sub_block;
    int levels;
    bool symmetric;
    int largest_scale;  // 1 where a block has a single scale, a half
};

inline constexpr Shape round_to_nearest_shapes[] = {
    {TensorType::Q4_0, 32, 32, 16, true, 1},    {TensorType::Q4_1, 32, 32, 16, false, 1},
    {TensorType::Q5_0, 32, 32, 32, true, 1},    {TensorType::Q5_1, 32, 32, 32, false, 1},
    {TensorType::Q2_K, 256, 16, 4, false, 15},  {TensorType::Q3_K, 256, 16, 8, true, 31},
    {TensorType::Q4_K, 256, 32, 16, false, 63}, {TensorType::Q5_K, 256, 32, 32, false, 63},
    {TensorType::Q6_K, 256, 16, 64, true, 127},
};

inline float to_half_and_back(float value) { return half_to_float(float_to_half(value)); }

// `scales` as multiples of a half, the largest of which is `largest` times it.
inline std::vector<float> rounded_scales(std::vector<float> scales, int largest) {
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

inline std::vector<float> round_to_nearest(const Shape& shape, std::span<const float> values) {
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
