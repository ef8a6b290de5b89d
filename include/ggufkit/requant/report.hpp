// What a requantization cost: how far each tensor decodes from its source.
//
// Purpose: execute() fills a QualityReport in the pass that writes the file, where ExecuteOptions asks for one. The
//   error is that against the source as it decodes: of a quantized source, what its own quantization lost is not in it.
//
//     std::vector<ggufkit::QualityReport> quality;
//     const auto done = ggufkit::execute(*model, *plan, "out.gguf", {.quality = &quality});
//     for (const auto& part : totals(*plan, quality.front(), ggufkit::Grouping::part)) {
//         fmt::print("{}: {:.1f} dB\n", part.name, part.sums.sqnr_db());
//     }
//
// Ownership: plain values; nothing is borrowed.
// Thread-safety: as that of any value. All numbers but the times are the same for any number of threads.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <ggufkit/quant/error_sums.hpp>
#include <ggufkit/requant/plan.hpp>

namespace ggufkit {

struct TensorQuality {
    bool measured = false;  // a tensor that is copied loses nothing, and is not decoded to find that out
    ErrorSums sums{};
    double seconds = 0;  // of work on it, of all threads together
};

struct QualityReport {
    std::vector<TensorQuality> tensors;  // as in Plan::tensors
};

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

// `report` is of `plan`. Types are the written ones.
std::vector<QualityTotal> totals(const Plan& plan, const QualityReport& report, Grouping grouping);

}  // namespace ggufkit
