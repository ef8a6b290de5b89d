// What a model takes to run by the length of its context, and on which devices that fits: for the page of --html.
#pragma once

#include <cstdint>
#include <ggufkit/inspect/memory.hpp>
#include <optional>
#include <vector>

#include "common/json.hpp"
#include "fit.hpp"

namespace ggufkit::tool::info {

struct MemoryChart {
    // On devices that hold all layers and the output.
    struct Point {
        MemoryEstimate estimate;
        std::uint64_t gpu_layers;  // on all devices together that were named; 0 where none were
        bool asked;                // --ctx says so
    };
    struct Row {
        const FileType* type;  // null: as it is
        double bpw;
        std::uint64_t weights;
        bool needs_imatrix;
        std::vector<std::uint64_t> contexts;  // for each choice of devices the longest of the points' that fits, or 0
    };

    FitOptions options;
    std::uint64_t trained_context;
    std::vector<std::vector<std::uint64_t>> devices;  // those that were named, together; else each usual card alone
    std::vector<Point> points;                        // the shortest context first
    std::vector<Row> file_types;                      // the largest first
};

// None of a model that no estimate can be made of. BAD_ARGUMENT: options that do not fit the model.
Result<std::optional<MemoryChart>> make_memory_chart(const Model& model, const FitOptions& options);

// An object, or null.
void write_memory_chart(JsonWriter& json, const std::optional<MemoryChart>& chart);

}  // namespace ggufkit::tool::info
