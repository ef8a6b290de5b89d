// Made-up weights, the same on every machine (no functions but square roots, which IEEE defines), and how far a
// quantized copy is from them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "support/random_blocks.hpp"

namespace ggufkit::test {

enum class Tail {
    normal,
    laplace,
    student,  // t with 5 degrees of freedom
    gains,    // normal, columns and rows with gains of their own, one value in 1000 ten times as large
};

struct TailName {
    Tail tail;
    std::string_view name;
};
inline constexpr std::array<TailName, 4> tails{
    {{Tail::normal, "normal"}, {Tail::laplace, "Laplace"}, {Tail::student, "Student t(5)"}, {Tail::gains, "gains"}}};

// Very nearly normal: the sum of twelve uniform numbers.
float normal(Random& random);

// Skewed like a lognormal: a product of eight.
float gain(Random& random);

std::vector<float> weight_rows(Tail tail, std::size_t rows, std::size_t ne0, std::uint64_t seed);

// Sums over all elements.
struct SquaredError {
    double plain = 0;
    double weighted = 0;
};

// The weight is that of llama.cpp's k-quants: rms + |x|, the rms of 32 elements.
inline constexpr std::size_t weight_run = 32;

std::array<double, weight_run> error_weights(std::span<const float, weight_run> values);

SquaredError squared_error(std::span<const float> values, std::span<const float> copy);

}  // namespace ggufkit::test
