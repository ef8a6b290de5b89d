// How far two rows of numbers are apart, as sums that can be added up.
//
// Purpose: what quality reports and comparisons are made of; every figure is a function of the sums.
//
//     ggufkit::ErrorSums all;
//     for (const ggufkit::TensorQuality& tensor : report.tensors) all.add(tensor.sums);  // requant/report.hpp
//     fmt::print("relative error {:.4f}, {:.1f} dB\n", all.relative_rmse(), all.sqnr_db());
//
// Ownership: plain values.
// Thread-safety: as that of any value.
#pragma once

#include <cstdint>
#include <optional>

namespace ggufkit {

// Sums over some pairs of weights: w as it was, v as it is now, e = v - w, i the importance of a weight's column. A pair
// of which one is infinite or not a number is in none of the sums, but is counted.
struct ErrorSums {
    std::uint64_t elements = 0;
    std::uint64_t not_finite = 0;  // pairs beside the `elements`
    std::uint64_t equal = 0;       // pairs that are the same: e = 0, or both one infinity, or both not a number
    double w2 = 0;
    double v2 = 0;
    double wv = 0;
    double e2 = 0;
    double e = 0;
    double iw2 = 0;
    double ie2 = 0;
    double max_error = 0;      // the greatest |e|
    std::uint64_t max_at = 0;  // the index of the first weight that has it

    // Takes in the sums of the weights that follow.
    void add(const ErrorSums& next);

    double rms() const;            // of w
    double relative_rmse() const;  // √(Σe²/Σw²): 0 where nothing was lost, 1 where the error is as large as the weights
    double sqnr_db() const;        // 10·log₁₀(Σw²/Σe²); infinity where nothing was lost
    double cosine() const;         // of the angle between w and v; 1 where both are zero
    double bias() const;           // the mean of e, in units of rms()
    double gain() const;           // Σwv/Σw²: below 1 where weights come out smaller
    double equal_share() const;                            // of all pairs; 1 where there are none
    std::optional<double> weighted_relative_rmse() const;  // √(Σie²/Σiw²); absent where no importance was given
};

// How totals() puts tensors together.
enum class Grouping : std::uint8_t {
    whole,  // one total
    part,   // in order of their first tensor
    layer,  // in order of number; tensors of no layer are left out
    type,   // in order of their first tensor
};

}  // namespace ggufkit
