// Whether a model fits on devices of a given size, and in which file types it would.
#pragma once

#include <cstdint>
#include <functional>
#include <ggufkit/inspect/memory.hpp>
#include <optional>
#include <string>
#include <vector>

#include "common/console.hpp"

namespace ggufkit::tool::info {

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

// What the options say, which have been checked as they were read.
std::vector<std::uint64_t> capacities(const FitOptions& options);  // of the devices that were named
std::uint64_t margin(const FitOptions& options);
MemoryOptions memory_options(const FitOptions& options);  // the context is left open

// The model as it is, or as it would be in a file type.
struct Variant {
    const FileType* type;  // null: as it is
    double bpw;            // of all weights
    bool needs_imatrix;    // quantizing it that far without an importance matrix is refused
    MemoryEstimate estimate;
};

// As it is and in every file type that any model could have, the largest first.
std::vector<Variant> variants(const Model& model, const MemoryOptions& options);

// One file type that the model could have, or the types that it has.
struct Candidate {
    const FileType* type;   // null: as it is
    double bpw;             // of all weights
    std::uint64_t weights;  // bytes
    std::uint64_t devices;  // bytes that all layers take on the devices
    bool fits;              // all layers are on devices
    bool needs_imatrix;     // quantizing it that far without an importance matrix is refused
};

struct Fit {
    MemoryOptions options;
    std::uint64_t trained_context = 0;
    std::uint64_t margin = 0;
    MemoryEstimate estimate;
    Placement placement;
    bool fits_without_margin = false;
    double largest_bpw = 0;             // of what goes onto devices, that would fit; 0: not even without weights
    std::uint64_t largest_context = 0;  // with which the model as it is fits, up to that of training; 0: with none
    std::vector<Candidate> candidates;  // the largest first
};

// The bytes that all layers take on the devices: as placed where they all are, else as on a single device.
std::uint64_t needed_on_devices(const MemoryEstimate& estimate, const Placement& placement);

// The errors of estimate_memory(), and NOT_FOUND where there are no tensors.
Result<Fit> make_fit(const Model& model, const FitOptions& options);

// As JSON: spec/json.md.
void print_fit(Console& console, const Model& model, const Fit& fit, bool json);

}  // namespace ggufkit::tool::info
