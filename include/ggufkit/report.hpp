// What a requantization cost: how far each tensor decodes from its source.
//
// Purpose: execute() fills a QualityReport in the pass that writes the file, where ExecuteOptions asks for one. The
//   error is that against the source as it decodes: of a quantized source, what its own quantization lost is not in it.
// Ownership: plain values; nothing is borrowed.
// Thread-safety: as that of any value. All numbers but the times are the same for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/plan.hpp>

namespace ggufkit {

// Sums over some weights: w as read, v as they decode after the work, e = v - w, i the importance of a weight's column.
struct ErrorSums {
    std::uint64_t elements = 0;
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
    std::optional<double> weighted_relative_rmse() const;  // √(Σie²/Σiw²); absent where no importance was given
};

struct TensorQuality {
    bool measured = false;  // a tensor that is copied loses nothing, and is not decoded to find that out
    ErrorSums sums{};
    double seconds = 0;  // of work on it, of all threads together
};

struct QualityReport {
    std::vector<TensorQuality> tensors;  // as in Plan::tensors
};

// Where a tensor stands in its model, as its name says: "blk.3.attn_q.weight" is attn_q of layer 3; "output.weight" is
// output, of no layer; "v.blk.0.ffn_up.weight" is v.ffn_up of layer 0.
struct TensorPlace {
    std::optional<std::uint64_t> layer;
    std::string part;
};
TensorPlace place_of(std::string_view tensor);

// Several tensors as one. `sums` is of those that were measured; its max_at says nothing.
struct QualityTotal {
    std::string name;  // the part, the number of the layer, the type; empty for the whole model
    std::uint64_t tensors = 0;
    std::uint64_t measured = 0;
    std::uint64_t bytes_in = 0;
    std::uint64_t bytes_out = 0;
    double seconds = 0;
    ErrorSums sums{};
};

enum class Grouping : std::uint8_t {
    whole,  // one total
    part,   // in order of their first tensor
    layer,  // in order of number; tensors of no layer are left out
    type,   // by what was written, in order of the first tensor
};

// `report` is of `plan`.
std::vector<QualityTotal> totals(const Plan& plan, const QualityReport& report, Grouping grouping);

}  // namespace ggufkit
