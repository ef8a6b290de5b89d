// Quantization as plainly as can be: scales from the range, everything rounded to nearest, no search. What a search
// must never be worse than. It works on values only and packs nothing.
#pragma once

#include <span>
#include <vector>

#include <ggufkit/format.hpp>

namespace ggufkit::test {

struct Rounding {
    TensorType type;
    std::size_t block;
    std::size_t sub_block;
    int levels;
    bool symmetric;
    int largest_scale;  // 1 where a block has a single scale, a half
};

inline constexpr Rounding round_to_nearest_shapes[] = {
    {TensorType::Q4_0, 32, 32, 16, true, 1},    {TensorType::Q4_1, 32, 32, 16, false, 1},
    {TensorType::Q5_0, 32, 32, 32, true, 1},    {TensorType::Q5_1, 32, 32, 32, false, 1},
    {TensorType::Q2_K, 256, 16, 4, false, 15},  {TensorType::Q3_K, 256, 16, 8, true, 31},
    {TensorType::Q4_K, 256, 32, 16, false, 63}, {TensorType::Q5_K, 256, 32, 32, false, 63},
    {TensorType::Q6_K, 256, 16, 64, true, 127},
};

std::vector<float> round_to_nearest(const Rounding& shape, std::span<const float> values);

}  // namespace ggufkit::test
