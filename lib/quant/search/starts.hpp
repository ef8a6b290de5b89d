// Where searches begin: for each shape of sub-block the few guesses that, together, come nearest to the best of a fine
// grid of guesses on the weights of a trained model; the most useful ones first. spec/quantizers.md says how to pick them
// again. Importance spreads what matters over a wider range of guesses, so it has lists of its own.
#pragma once

#include <array>
#include <cstddef>
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
struct AffineStarts;
template <>
struct AffineStarts<16, 3> {
    static constexpr AffineStart plain[] = {{0.4f, -0.2f}, {0.4f, 0.0f}, {0.3f, -0.3f}, {0.4f, -0.4f}};
    static constexpr AffineStart important[] = {
        {1.2f, -0.6f}, {0.5f, -0.5f}, {0.6f, -0.1f}, {0.9f, 0.0f},
        {0.2f, -0.1f}, {-0.6f, 0.8f}, {1.0f, -1.0f}, {1.5f, -1.0f},
    };
};
template <>
struct AffineStarts<32, 15> {
    static constexpr AffineStart plain[] = {
        {0.375f, -0.125f}, {-0.125f, -0.125f}, {0.25f, 0.125f},  {-0.875f, 1.0f}, {0.5f, -0.375f},   {-0.125f, 0.125f},
        {-0.75f, -0.25f},  {0.375f, -0.4f},    {-1.75f, 0.875f}, {-0.125f, 0.0f}, {-0.875f, 0.125f}, {-0.125f, 0.25f},
    };
    static constexpr AffineStart important[] = {
        {0.0f, 0.0f},    {0.375f, -0.5f},  {0.625f, -0.125f}, {0.75f, 0.0f},  {-0.875f, 1.0f}, {-0.125f, 0.25f},
        {0.0f, -0.125f}, {-0.75f, -0.25f}, {-1.875f, 0.0f},   {-1.0f, 0.25f}, {0.875f, -0.5f}, {1.0f, -1.0f},
    };
};
template <>
struct AffineStarts<32, 31> {
    static constexpr AffineStart plain[] = {{0.0f, 0.0f}, {-0.75f, 0.875f}, {-1.75f, -0.125f}, {0.0f, 0.25f}};
    static constexpr AffineStart important[] = {
        {0.125f, -0.125f}, {-1.0f, 0.875f}, {0.375f, 0.125f}, {0.375f, -0.5f},
        {-1.75f, 0.875f},  {-1.0f, 0.125f}, {0.0f, 0.125f},   {-3.0f, 3.0f},
    };
};

// The value of the element of largest magnitude.
template <int sub_block, int half_range>
struct SymmetricStarts;
template <>
struct SymmetricStarts<16, 4> {
    static constexpr float plain[] = {-4.05f, -3.15f, -4.4f, -3.8f};
    static constexpr float important[] = {-4.15f, -3.3f, -5.1f, -3.8f, 4.3f, -4.55f, -5.9f, 3, 5.05f, -2.4f};
};
template <>
struct SymmetricStarts<16, 32> {
    static constexpr float plain[] = {-32.2f, 31,  -30, -28.9f, -28.2f, -31.8f,
                                      -27.1f, -26, -25, -29.3f, -24.2f, -27.8f};
    static constexpr float important[] = {-32, 31,     -30, -28.9f, -27.1f, -28.2f,
                                          -26, -32.5f, -25, -23.9f, -23.2f, -29.3f};
};
template <>
struct SymmetricStarts<32, 8> {
    static constexpr float plain[] = {-8, -7.25f, -8.5f, -7.75f, -8.2f, -6.95f, -6.25f, -8.65f};
    static constexpr float important[] = {-8.2f,  -7.25f, -8.75f, -7.7f, -9.75f, -6.15f,
                                          -6.85f, -7.95f, -9.1f,  8.3f,  -8.5f,  -10.75f};
};
template <>
struct SymmetricStarts<32, 16> {
    static constexpr float plain[] = {-16.1f, -15.2f, -14.1f, -16.45f, -15.7f, -14.8f, -13, -13.75f};
    static constexpr float important[] = {-16.1f, -15,     -17,    -14.1f, -15.7f,  -16.45f,
                                          -13,    -15.35f, -12.1f, -17.9f, -13.75f, -14.65f};
};

// A grid, for those who have the time: starts of either sign, from 0.6 to 1.5 times the range.
template <int half_range>
inline constexpr auto symmetric_grid = [] {
    std::array<float, 64> starts{};
    for (int i = 0; i < 64; ++i) {
        const float stretch = 0.6f + 0.9f / 31 * static_cast<float>(i / 2);
        starts[static_cast<std::size_t>(i)] = (i % 2 == 0 ? -stretch : stretch) * half_range;
    }
    return starts;
}();
// The same for affine types: lowest codes from -1 to 2.5, highest ones likewise beyond and within the range; a range of
// few codes has a closer grid.
template <int max_code>
inline constexpr auto affine_grid = [] {
    constexpr int side = 16;
    constexpr float step = max_code < 8 ? 0.125f : 0.25f;
    constexpr float beyond = max_code < 8 ? 0.75f : 1.0f;
    std::array<AffineStart, side * side> starts{};
    for (int i = 0; i < side * side; ++i) {
        const float shift = step * static_cast<float>(i / side) - beyond;
        const float top = beyond - step * static_cast<float>(i % side);
        starts[static_cast<std::size_t>(i)] = {top - shift, shift};
    }
    return starts;
}();

// What to begin with. `usual` is the number of plain ones at normal effort.
template <class Start>
std::span<const Start> starts_for(Effort effort, bool important, std::span<const Start> plain_list,
                                  std::span<const Start> important_list, std::span<const Start> grid,
                                  std::size_t usual) {
    if (effort == Effort::max) return grid;
    if (effort == Effort::fast) return important ? important_list.first(6) : plain_list.first(usual > 8 ? 4 : 2);
    return important ? important_list : plain_list.first(usual);
}
template <int sub_block, int max_code>
std::span<const AffineStart> affine_starts_for(Effort effort, bool important, std::size_t usual) {
    using Lists = AffineStarts<sub_block, max_code>;
    return starts_for<AffineStart>(effort, important, Lists::plain, Lists::important, affine_grid<max_code>, usual);
}
template <int sub_block, int half_range>
std::span<const float> symmetric_starts_for(Effort effort, bool important, std::size_t usual) {
    using Lists = SymmetricStarts<sub_block, half_range>;
    return starts_for<float>(effort, important, Lists::plain, Lists::important, symmetric_grid<half_range>, usual);
}

}  // namespace ggufkit::quant
