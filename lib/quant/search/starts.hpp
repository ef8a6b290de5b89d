// Where searches begin: for each shape of sub-block the few guesses that, together, come nearest to the best of a fine
// grid of guesses on the weights of a trained model; the most useful ones first. spec/quantizers.md says how to pick them
// again. Importance spreads what matters over a wider range of guesses, so it has lists of its own.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <iterator>
#include <span>
#include <type_traits>

#include <ggufkit/quant/quantize.hpp>

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
    static constexpr AffineStart few[] = {
        {0.125f, -0.125f}, {0.25f, 0.125f}, {0.25f, -0.375f}, {-0.75f, -0.125f}, {0.125f, 0.0f}, {-1.75f, 0.875f},
    };
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
    static constexpr AffineStart plain[] = {
        {0.0f, 0.0f},     {-0.75f, 0.875f}, {-1.75f, -0.125f}, {0.0f, 0.25f},
        {0.125f, -0.25f}, {-1.0f, 0.0f},    {-2.75f, 1.875f},  {-1.75f, 0.875f},
    };
    static constexpr AffineStart important[] = {
        {0.125f, -0.125f}, {-1.0f, 0.875f}, {0.375f, 0.125f}, {0.375f, -0.5f},
        {-1.75f, 0.875f},  {-1.0f, 0.125f}, {0.0f, 0.125f},   {-3.0f, 3.0f},
    };
};

// The value of the element of largest magnitude; half_range is the magnitude of the lowest value.
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
    static constexpr float important[] = {-32, 31, -30, -28.9f, -27.1f, -28.2f, -26, -32.5f, -25, -23.9f};
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
template <>
struct SymmetricStarts<32, 127> {
    static constexpr float plain[] = {-127, 113, -108, -122, -134, 120, 110, -102, -138, -112, 90, -85};
};
template <>
struct SymmetricStarts<64, 1> {
    static constexpr float plain[] = {1, 2.5f, -2.5f, 3, 2.15f, -2.95f, 3.4f, -2.15f, 2.7f, 2.35f};
};
template <>
struct SymmetricStarts<128, 1> {
    static constexpr float plain[] = {1, 1};  // signs leave no choice
};
template <>
struct SymmetricStarts<256, 1> {
    static constexpr float plain[] = {1, 2.5f, 3.2f, 2.1f, 4.2f, 6, 2.9f, 8};
};

// A grid, for those who have the time: starts of either sign, from 0.6 to 1.5 times the range, and closer for a wide one;
// none where the values are but -1 to 1 or 2.
template <int half_range>
inline constexpr auto symmetric_grid = [] {
    constexpr int count = half_range == 1 ? 0 : half_range > 8 ? 64 : 32;
    std::array<float, count> starts{};
    for (int i = 0; i < count; ++i) {
        const float stretch = 0.6f + 0.9f / (count / 2 - 1) * static_cast<float>(i / 2);
        starts[static_cast<std::size_t>(i)] = (i % 2 == 0 ? -stretch : stretch) * half_range;
    }
    return starts;
}();
// The same for affine types: lowest codes from -1 to 1.75, highest ones likewise beyond and within the range; a range of
// few codes has a closer grid.
template <int max_code>
inline constexpr auto affine_grid = [] {
    constexpr int side = 12;
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

template <class Lists>
concept HasImportant = requires { Lists::important; };

// All of these.
template <class Lists, const auto& grid>
inline constexpr auto every_start = [] {
    constexpr std::size_t plain = std::size(Lists::plain);
    constexpr std::size_t important = [] {
        if constexpr (HasImportant<Lists>) return std::size(Lists::important);
        return std::size_t{0};
    }();
    auto starts = std::array<std::remove_cvref_t<decltype(Lists::plain[0])>, plain + important + grid.size()>{};
    std::ranges::copy(Lists::plain, starts.begin());
    if constexpr (HasImportant<Lists>) std::ranges::copy(Lists::important, starts.begin() + plain);
    std::ranges::copy(grid, starts.begin() + plain + important);
    return starts;
}();

// The first `count` of the plain ones, or of a list for so few.
template <class Lists, class Start>
std::span<const Start> plain_starts(std::size_t count) {
    if constexpr (requires { Lists::few; }) {
        if (count <= std::size(Lists::few)) return std::span<const Start>(Lists::few).first(count);
    }
    return std::span<const Start>(Lists::plain).first(count);
}

// What to begin with. `usual` is the number of plain ones at normal effort.
template <class Lists, class Start>
std::span<const Start> starts_for(Effort effort, bool important, std::span<const Start> every, std::size_t usual) {
    if (effort == Effort::max) return every;
    const bool fast = effort == Effort::fast;
    if constexpr (HasImportant<Lists>) {
        const std::span<const Start> lists = Lists::important;
        if (important) return fast ? lists.first(6) : lists;
    }
    return plain_starts<Lists, Start>(!fast ? usual : usual > 8 ? 4 : 2);
}
template <int sub_block, int max_code>
std::span<const AffineStart> affine_starts_for(Effort effort, bool important, std::size_t usual) {
    return starts_for<AffineStarts<sub_block, max_code>, AffineStart>(
        effort, important, every_start<AffineStarts<sub_block, max_code>, affine_grid<max_code>>, usual);
}
template <int sub_block, int half_range>
std::span<const float> symmetric_starts_for(Effort effort, bool important, std::size_t usual) {
    return starts_for<SymmetricStarts<sub_block, half_range>, float>(
        effort, important, every_start<SymmetricStarts<sub_block, half_range>, symmetric_grid<half_range>>, usual);
}

}  // namespace ggufkit::quant
