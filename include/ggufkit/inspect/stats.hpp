// What the numbers inside tensors are like.
//
// Purpose: range, moments, outliers and a histogram of a tensor's weights as they decode, and the health of its blocks'
//   scales.
//
//     const auto stats = ggufkit::tensor_stats(*model, model->tensors());
//     if (!stats) return complain(stats.error());
//     for (std::size_t i = 0; i < stats->size(); ++i) {
//         fmt::print("{}: rms {}\n", model->tensors()[i].info->name, (*stats)[i].weights.rms);
//     }
//
// Ownership: plain values; names of fields are those of the registry.
// Thread-safety: one call runs its own threads over an immutable model; the callback is called from one of them at a
//   time and must not throw.
// Source: spec/stats.md defines every number. They are the same, to the last bit, for any number of threads and on any
//   instruction set.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/format.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/work.hpp>

namespace ggufkit {

// Of numbers. NaN and infinities are counted and enter nothing else.
struct NumberStats {
    std::uint64_t count = 0;  // all of them
    std::uint64_t zeros = 0;
    std::uint64_t nans = 0;
    std::uint64_t infinities = 0;
    float min = 0, max = 0;  // all of these are 0 where no number is finite
    double mean = 0;
    double rms = 0;     // root of the mean square
    double spread = 0;  // standard deviation
    // The third and fourth moments about the mean, in units of the spread: 0 and 3 for a normal distribution; absent
    // where there is no spread.
    std::optional<double> skewness{};
    std::optional<double> kurtosis{};

    std::uint64_t finite() const { return count - nans - infinities; }
};

// Of the scales that a field of blocks has: "d", "dmin", "m", "e".
struct ScaleStats {
    std::string_view field;
    NumberStats numbers{};
    std::uint64_t subnormal = 0;  // not zero, but below the smallest normal number of the field's type
};

// How many numbers are in each quarter of a spread, from mean - 4 spread to mean + 4 spread.
struct WeightHistogram {
    static constexpr int bins = 32;
    std::uint64_t below = 0, above = 0;  // further away
    std::array<std::uint64_t, bins> counts{};
    float low = 0;    // where bin 0 begins
    float width = 0;  // of one bin
    std::uint64_t total() const;
};

struct TensorStats {
    NumberStats weights{};
    // Weights further from zero than outlier_limit times the rms of the 4,096 that they lie among.
    std::uint64_t outliers = 0;
    // Of all weights of a small tensor, of evenly spread ones of a large one.
    WeightHistogram histogram{};
    std::vector<ScaleStats> scales{};  // a field of the blocks each, where the type has scales
};

inline constexpr double outlier_limit = 6;

// Of some tensors of a model, in their order; decoded as dequantize_rows() does. Takes some megabytes of memory,
// however large they are. Errors: as from Model::data(); IO_CHANGED where a file changed meanwhile; CANCELLED.
Result<std::vector<TensorStats>> tensor_stats(const Model& model, std::span<const ModelTensor> tensors,
                                              const Work& work = {});

}  // namespace ggufkit
