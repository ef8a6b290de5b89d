// What sets IQ1, IQ2 and IQ3 apart, for their encoders.
#pragma once

#include <algorithm>
#include <cstdint>
#include <initializer_list>

#include "quant/iq/codebooks.hpp"

namespace ggufkit::quant {

// How elements get their signs.
enum class Signs : std::uint8_t {
    free,
    even,     // the number of negative elements in a group of eight is even
    shifted,  // points have signs of their own, and all elements of a span are shifted by 1/8, up or down
};

// What levels stand for.
struct LevelValues {
    alignas(64) float of[16]{};

    constexpr LevelValues(std::initializer_list<float> values) { std::ranges::copy(values, of); }
};

// A point has `length` coordinates of `levels` levels. values: what a level stands for in units of the sub-block's
// scale (and, where elements are shifted, what it stands for when they are shifted down); step: the usual distance
// between values; span: the elements that share a shift; starts: what the largest magnitude of a sub-block becomes in
// these units, to begin with. At normal effort the first usual_starts are used, and rough_tries points tried for free
// scales, usual_tries for integer ones.
struct PointsOfIQ2 {
    static constexpr int length = 8, levels = 3, word_bits = 16, span = 8;
    static constexpr float step = 2.1875f;
    static constexpr LevelValues values[2] = {{1, 3.125f, 5.375f}, {1, 3.125f, 5.375f}};
};
struct PointsOfIQ3 {
    static constexpr int length = 4, levels = 8, word_bits = 12, span = 8;
    static constexpr float step = 2;
};
struct PointsOfIQ1 {
    static constexpr int length = 8, levels = 3, word_bits = 16;
    static constexpr Signs signs = Signs::shifted;
    static constexpr GridId grid = GridId::iq1;
    static constexpr float step = 1;
    static constexpr LevelValues values[2] = {{-0.875f, 0.125f, 1.125f}, {-1.125f, -0.125f, 0.875f}};
    static constexpr int max_scale = 7;
};

struct IQ2_XXS : PointsOfIQ2 {
    static constexpr GridId grid = GridId::iq2_xxs;
    static constexpr Signs signs = Signs::even;
    static constexpr int sub_block = 32, max_scale = 15;
    static constexpr float starts[] = {6.5f, 8, 5.25f, 1, 4.25f, 10, 7.25f, 12, 6};
    static constexpr int usual_starts = 4, rough_tries = 4, usual_tries = 8;
};
struct IQ2_XS : PointsOfIQ2 {
    static constexpr GridId grid = GridId::iq2_xs;
    static constexpr Signs signs = Signs::even;
    static constexpr int sub_block = 16, max_scale = 15;
    static constexpr float starts[] = {6, 4.5f, 7.75f, 3.5f, 9.25f, 5.25f, 11.5f, 6.75f};
    static constexpr int usual_starts = 4, rough_tries = 4, usual_tries = 8;
};
struct IQ2_S : PointsOfIQ2 {
    static constexpr GridId grid = GridId::iq2_s;
    static constexpr Signs signs = Signs::free;
    static constexpr int sub_block = 16, max_scale = 15;
    static constexpr float starts[] = {6, 4.5f, 7.5f, 3.5f, 9, 5.25f, 11.25f, 6.75f};
    static constexpr int usual_starts = 3, rough_tries = 6, usual_tries = 8;
};
struct IQ3_XXS : PointsOfIQ3 {
    static constexpr GridId grid = GridId::iq3_xxs;
    static constexpr Signs signs = Signs::even;
    static constexpr int sub_block = 32, max_scale = 15;
    static constexpr LevelValues values[2] = {{1, 3, 5, 7, 9, 11, 13, 15.5f}, {1, 3, 5, 7, 9, 11, 13, 15.5f}};
    static constexpr float starts[] = {16, 13, 18, 10.5f, 14.5f, 20, 12, 24};
    static constexpr int usual_starts = 7, rough_tries = 6, usual_tries = 12;
};
struct IQ3_S : PointsOfIQ3 {
    static constexpr GridId grid = GridId::iq3_s;
    static constexpr Signs signs = Signs::free;
    static constexpr int sub_block = 32, max_scale = 15;
    static constexpr LevelValues values[2] = {{1, 3, 5, 7, 9, 11, 13, 15}, {1, 3, 5, 7, 9, 11, 13, 15}};
    static constexpr float starts[] = {15.5f, 13.5f, 11.5f, 17, 20, 14.5f, 10, 12.5f};
    static constexpr int usual_starts = 3, rough_tries = 4, usual_tries = 6;
};
struct IQ1_S : PointsOfIQ1 {
    static constexpr int sub_block = 32, span = 32;
    static constexpr float starts[] = {1.8f, 1.3f, 2.4f, 3.2f, 1.5f, 1.1f, 2.1f, 2.8f};
    static constexpr int usual_starts = 2, rough_tries = 4, usual_tries = 6;
};
struct IQ1_M : PointsOfIQ1 {
    static constexpr int sub_block = 16, span = 8;
    static constexpr float starts[] = {1.6f, 1.2f, 2.3f, 3.2f, 1.4f, 1, 1.8f, 2.7f};
    static constexpr int usual_starts = 2, rough_tries = 2, usual_tries = 4;
};

}  // namespace ggufkit::quant
