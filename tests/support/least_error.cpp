#include "support/least_error.hpp"

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/half.hpp"

namespace ggufkit::test {
namespace {

// What a type can say of a sub-block: one of the scales times one of the values for each weight.
struct Grid {
    std::size_t sub_block;
    float (*nearest)(float);      // value to x / scale
    float most;                   // magnitude of a value
    std::vector<float> scales{};  // by magnitude, the largest first
};

template <int low, int high>
float integer(float y) {
    return std::clamp(std::nearbyint(y), float{low}, float{high});
}

float e2m1(float y) {
    constexpr float values[] = {0, 0.5f, 1, 1.5f, 2, 3, 4, 6};
    const float magnitude = std::abs(y);
    std::size_t i = 0;
    while (i + 1 < std::size(values) && magnitude > (values[i] + values[i + 1]) / 2) ++i;
    return std::copysign(values[i], y);
}

std::vector<float> halves_of_both_signs() {
    std::vector<float> scales;
    for (std::uint32_t bits = 0x7bff; bits > 0; --bits) {
        const float scale = half_to_float(static_cast<std::uint16_t>(bits));
        scales.insert(scales.end(), {scale, -scale});
    }
    return scales;
}

std::vector<float> e8m0() {
    std::vector<float> scales;
    for (int exponent = 127; exponent >= -127; --exponent) scales.push_back(std::ldexp(1.0f, exponent));
    return scales;
}

std::vector<float> ue4m3() {
    std::vector<float> scales;
    for (int bits = 0x7e; bits > 0; --bits) {
        const int exponent = bits / 8, mantissa = bits % 8;
        scales.push_back(
            std::ldexp(static_cast<float>(exponent > 0 ? 8 + mantissa : mantissa), std::max(exponent, 1) - 10));
    }
    return scales;
}

std::optional<Grid> grid_of(TensorType type) {
    switch (type) {
        case TensorType::Q4_0: return Grid{32, integer<-8, 7>, 8, halves_of_both_signs()};
        case TensorType::Q5_0: return Grid{32, integer<-16, 15>, 16, halves_of_both_signs()};
        case TensorType::MXFP4: return Grid{32, e2m1, 6, e8m0()};
        case TensorType::NVFP4: return Grid{16, e2m1, 6, ue4m3()};
        default: return std::nullopt;
    }
}

SquaredError error_with(const Grid& grid, float scale, std::span<const float> x, std::span<const double> weights) {
    SquaredError error;
    for (std::size_t i = 0; i < x.size(); ++i) {
        const double difference = double{x[i]} - double{scale} * double{grid.nearest(x[i] / scale)};
        error.plain += difference * difference;
        error.weighted += weights[i] * difference * difference;
    }
    return error;
}

// With the scale 0 to begin with.
SquaredError least_of_sub_block(const Grid& grid, std::span<const float> x, std::span<const double> weights) {
    SquaredError least;
    std::size_t peak = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
        least.plain += double{x[i]} * double{x[i]};
        least.weighted += weights[i] * double{x[i]} * double{x[i]};
        if (std::abs(x[i]) > std::abs(x[peak])) peak = i;
    }
    for (const float scale : grid.scales) {
        if (std::abs(scale) > 4 * std::abs(x[peak])) continue;  // all values become 0
        // A scale that cuts off so much of the peak that this alone is too much; smaller ones cut off more.
        const double cut = std::abs(double{x[peak]}) - double{grid.most} * std::abs(double{scale});
        if (cut > 0 && cut * cut > least.plain && weights[peak] * cut * cut > least.weighted) break;
        const SquaredError error = error_with(grid, scale, x, weights);
        least.plain = std::min(least.plain, error.plain);
        least.weighted = std::min(least.weighted, error.weighted);
    }
    return least;
}

}  // namespace

std::optional<SquaredError> least_error(TensorType type, std::span<const float> values) {
    const auto grid = grid_of(type);
    if (!grid) return std::nullopt;
    SquaredError sum;
    for (std::size_t run = 0; run < values.size(); run += weight_run) {
        const auto weights = error_weights(values.subspan(run).first<weight_run>());
        for (std::size_t i = 0; i < weight_run; i += grid->sub_block) {
            const auto least = least_of_sub_block(*grid, values.subspan(run + i, grid->sub_block),
                                                  std::span(weights).subspan(i, grid->sub_block));
            sum.plain += least.plain;
            sum.weighted += least.weighted;
        }
    }
    return sum;
}

}  // namespace ggufkit::test
