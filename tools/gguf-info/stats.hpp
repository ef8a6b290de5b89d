// --stats.
#pragma once

#include <ggufkit/inspect/stats.hpp>
#include <span>
#include <vector>

#include "common/console.hpp"
#include "common/json.hpp"

namespace ggufkit::tool::info {

struct StatsView {
    std::span<const ModelTensor> tensors;
    std::span<const TensorStats> stats;  // of each
};

// A line a tensor; of a single one, or with `in_full`, all there is to say and a histogram.
void print_stats(Console& console, const StatsView& view, bool in_full);
void write_stats(JsonWriter& json, const StatsView& view);

}  // namespace ggufkit::tool::info
