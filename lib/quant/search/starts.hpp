// Where searches begin: for each shape of sub-block the few guesses that, together, come nearest to the best of a fine
// grid of guesses. They were picked one by one, each the one that lowered the error most, on the weights of a trained
// model; spec/quantizers.md says how to do it again.
#pragma once

#include <algorithm>
#include <array>
#include <span>

#include <ggufkit/quantize.hpp>

namespace ggufkit::quant {

// The code of the lowest value is `shift`, that of the highest max_code + shift + stretch.
struct AffineStart {
    float stretch;
    float shift;

    // Whether no code gets past the lowest and the highest, and so needs no clamping.
    constexpr bool stays_inside() const { return shift >= -0.4f && shift + stretch <= 0.4f; }
};

template <int sub_block, int max_code>
inline constexpr AffineStart affine_starts[] = {};
template <>
inline constexpr AffineStart affine_starts<16, 3>[] = {
    {0.4f, -0.2f}, {0.4f, 0.0f},  {0.4f, -0.4f}, {0.9f, -0.5f},
    {0.5f, -0.6f}, {-0.1f, 0.1f}, {0.4f, 0.1f},  {0.6f, -0.2f},
};
template <>
inline constexpr AffineStart affine_starts<32, 15>[] = {
    {0.0f, 0.0f},  {-0.5f, 0.75f}, {0.0f, -0.25f}, {0.0f, 0.25f},  {0.5f, -0.25f}, {0.25f, -0.25f},
    {0.25f, 0.0f}, {-1.0f, 0.0f},  {-2.0f, 2.0f},  {-0.75f, 1.0f}, {0.25f, 0.25f}, {0.5f, -0.5f},
};
template <>
inline constexpr AffineStart affine_starts<32, 31>[] = {
    {0.0f, 0.0f},   {-1.0f, 1.0f},    {-2.0f, 1.0f}, {0.0f, 0.25f},   {0.0f, -0.25f}, {-3.0f, 1.0f},
    {-0.75f, 0.0f}, {-0.75f, -0.25f}, {0.25f, 0.0f}, {0.25f, -0.25f}, {-1.75f, 0.0f}, {-1.75f, 1.75f},
};

// The value of the element of largest magnitude; half_range is the magnitude of the lowest value.
template <int sub_block, int half_range>
inline constexpr float symmetric_starts[] = {};
template <>
inline constexpr float symmetric_starts<16, 4>[] = {-4, 3.2f, -4.4f, -3.8f, 2.9f, -4.2f, 3.35f, -4.7f};
template <>
inline constexpr float symmetric_starts<32, 8>[] = {-8, 7.2f, -8.4f, -7.8f, 6.95f, -8.2f, 6.2f, -8.7f};
template <>
inline constexpr float symmetric_starts<32, 16>[] = {-16,   15.1f, -16.4f, 14.1f,  -15.8f,
                                                     14.9f, 13,    13.9f,  -16.2f, 15.4f};
template <>
inline constexpr float symmetric_starts<16, 32>[] = {-32, 31, 30, 29, 28, 27, -31.8f, 26, 30.8f, 25, -32.3f, 24};
template <>
inline constexpr float symmetric_starts<32, 127>[] = {-127, 113, -108, -122, -134, 120, 110, -102, -138, -112, 90, -85};
template <>
inline constexpr float symmetric_starts<64, 1>[] = {1, 2.5f, -2.5f, 3, 2.15f, -2.95f, 3.4f, -2.15f, 2.7f, 2.35f};
template <>
inline constexpr float symmetric_starts<128, 1>[] = {1, 1};  // signs leave no choice
template <>
inline constexpr float symmetric_starts<256, 1>[] = {1, 2.5f, 3.2f, 2.1f, 4.2f, 6, 2.9f, 8};

// A grid, for those who have the time: starts of either sign, from 0.7 to 1.2 times the range.
template <int half_range>
inline constexpr auto symmetric_grid = [] {
    std::array<float, 32> starts{};
    for (int i = 0; i < 32; ++i) {
        const float stretch = 0.7f + 0.5f / 15 * static_cast<float>(i / 2);
        starts[static_cast<std::size_t>(i)] = (i % 2 == 0 ? -stretch : stretch) * half_range;
    }
    return starts;
}();
// The same for affine types: lowest codes from -1 to 1.6, highest ones likewise beyond and within the range; a range of
// few codes has a closer grid.
template <int max_code>
inline constexpr auto affine_grid = [] {
    constexpr float step = max_code < 8 ? 0.2f : 0.375f;
    std::array<AffineStart, 64> starts{};
    for (int i = 0; i < 64; ++i) {
        const float shift = step * static_cast<float>(i / 8) - (max_code < 8 ? 0.6f : 1.0f);
        const float top = (max_code < 8 ? 0.6f : 1.0f) - step * static_cast<float>(i % 8);
        starts[static_cast<std::size_t>(i)] = {top - shift, shift};
    }
    return starts;
}();

// What to begin with: the first four, or `usual` many, or the grid; where values are few, all there are instead of that.
template <int sub_block, int max_code>
std::span<const AffineStart> affine_starts_for(Effort effort, std::size_t usual) {
    if (effort == Effort::max) return affine_grid<max_code>;
    return std::span(affine_starts<sub_block, max_code>)
        .first(effort == Effort::fast ? std::min<std::size_t>(usual, 4) : usual);
}
template <int sub_block, int half_range>
std::span<const float> symmetric_starts_for(Effort effort, std::size_t usual) {
    if (effort == Effort::max && half_range == 1) return symmetric_starts<sub_block, half_range>;
    if (effort == Effort::max) return symmetric_grid<half_range>;
    return std::span(symmetric_starts<sub_block, half_range>)
        .first(effort == Effort::fast ? std::min<std::size_t>(usual, 4) : usual);
}

}  // namespace ggufkit::quant
