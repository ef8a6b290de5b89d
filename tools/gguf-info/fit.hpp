// Whether a model fits on devices of a given size, and in which file types it would.
#pragma once

#include <cstdint>
#include <ggufkit/memory.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/command_line.hpp"

namespace ggufkit::info {

struct FitOptions {
    std::string device;             // size of the one device
    std::vector<std::string> gpus;  // or sizes of several
    std::optional<std::uint64_t> context;
    std::uint64_t ubatch = 512;
    std::string cache_type = "f16";
    bool no_flash_attention = false;
    std::string margin = "1GiB";

    bool wanted() const { return !device.empty() || !gpus.empty(); }
};

void add_fit_options(CLI::App& app, FitOptions& options);

// One file type that the model could have, or the types that it has.
struct Candidate {
    const FileType* type;   // null: as it is
    double bpw;             // of all weights
    std::uint64_t weights;  // bytes
    bool fits;              // all layers are on devices
    bool needs_imatrix;     // quantizing it that far without an importance matrix is refused
};

struct Fit {
    MemoryOptions options;
    std::uint64_t trained_context = 0;
    std::uint64_t margin = 0;
    MemoryEstimate estimate;
    Placement placement;
    double largest_bpw = 0;             // of what goes onto devices, that would fit; 0: not even without weights
    std::uint64_t largest_context = 0;  // with which the model as it is fits, up to that of training; 0: with none
    std::vector<Candidate> candidates;  // the largest first
};

// The errors of estimate_memory(), and NOT_FOUND where there are no tensors. The options have been checked as they were read.
Result<Fit> make_fit(const Model& model, const FitOptions& options);

// As JSON: spec/json.md.
void print_fit(cli::Console& console, const Model& model, const Fit& fit, bool json);

}  // namespace ggufkit::info
