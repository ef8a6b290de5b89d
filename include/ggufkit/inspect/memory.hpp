// What a model takes to run: weights, KV cache, recurrent state, compute buffers; and how its layers go onto devices.
//
// Purpose: estimate_memory() predicts what llama.cpp allocates for a model, from its metadata and tensor list alone;
//   place_layers() spreads that over devices as llama.cpp's --n-gpu-layers and --tensor-split do.
//
//     const auto estimate = ggufkit::estimate_memory(*model, {.context = 8192});
//     if (!estimate) return complain(estimate.error());
//     const std::array<std::uint64_t, 2> devices{24ull << 30, 8ull << 30};
//     const ggufkit::Placement placement = ggufkit::place_layers(*estimate, devices);
//     fmt::print("--n-gpu-layers {}\n", placement.gpu_layers);
//
// Ownership: plain values that own their text.
// Thread-safety: pure functions.
// Source: spec/memory.md, which also says how far off the estimates are.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/format.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/plan.hpp>

namespace ggufkit {

// The types that llama.cpp offers for its KV cache (--cache-type-k, --cache-type-v).
std::span<const TensorType> cache_types() noexcept;

// llama.cpp computes no more tokens at once than its --batch-size, whatever --ubatch-size says: this many by default.
inline constexpr std::uint64_t largest_ubatch = 2048;

struct MemoryOptions {
    std::uint64_t context = 0;   // tokens (--ctx-size); 0: as many as the model was trained for
    std::uint64_t ubatch = 512;  // tokens computed at once (--ubatch-size), at most largest_ubatch
    TensorType cache_k = TensorType::F16;
    TensorType cache_v = TensorType::F16;  // a quantized one needs flash attention
    bool flash_attention = true;
    const Plan* plan = nullptr;  // borrowed: weights as this plan of the model makes them; it prunes no layers
};

struct LayerMemory {
    std::uint64_t weights = 0;    // bytes, as are all numbers here
    std::uint64_t kv_cache = 0;   // 0 where the layer has none, or uses that of another
    std::uint64_t recurrent = 0;  // state that does not grow with the context
    bool sliding = false;         // attends to a window: its cache does not grow beyond that
};

struct MemoryEstimate {
    std::uint64_t context = 0;  // tokens, rounded up as llama.cpp does
    std::vector<LayerMemory> layers;
    std::uint64_t input_weights = 0;   // token embeddings, and what belongs to no layer: they stay in host memory
    std::uint64_t output_weights = 0;  // the output matrix and norm, which count as one more layer
    std::uint64_t output_copy = 0;  // token embeddings that serve as the output matrix too: a device that computes the
                                    // output holds a copy of them; not part of weights()
    std::uint64_t device_elements =
        0;  // weights of the layers and the output, or its copy: what a device with all of them holds
    std::uint64_t kv_cache = 0;            // of all layers
    std::uint64_t recurrent = 0;           // of all layers
    std::uint64_t compute = 0;             // activations of one batch: once for each device in use
    std::uint64_t compute_inputs = 0;      // the part of it that is the batch itself and its attention mask
    std::vector<std::string> assumptions;  // what the file does not say, each as a clause: "no head counts: …"

    std::uint64_t weights() const;          // as they lie in the file
    std::uint64_t device_weights() const;   // the bytes of device_elements
    std::uint64_t besides_weights() const;  // cache, state and compute buffer
    std::uint64_t total() const;            // all of it in one memory
    std::uint64_t on_device() const;        // bytes on the device, with all layers on one
    std::uint64_t on_host() const;          // bytes that then stay on the host
};

// Works on headers alone: no tensor data is read. Errors: NOT_FOUND (no architecture, no block count), OUT_OF_RANGE (more
// layers than any model has; per-layer arrays that are too short), BAD_ARGUMENT (a cache type that is none, that the width
// of the heads is no multiple of, or that needs flash attention), UNSUPPORTED (an architecture that is no language model),
// SIZE_OVERFLOW, and those of TensorInfo::bytes().
Result<MemoryEstimate> estimate_memory(const Model& model, const MemoryOptions& options = {});

// What one device gets.
struct DeviceLoad {
    std::uint64_t capacity = 0;  // bytes that were offered
    std::uint64_t layers = 0;    // the output counts as one
    std::uint64_t weights = 0;
    std::uint64_t cache = 0;  // KV cache and recurrent state
    std::uint64_t compute = 0;

    std::uint64_t total() const;
};

struct Placement {
    std::uint64_t gpu_layers = 0;     // for --n-gpu-layers: the last so many, the output first of all
    std::uint64_t all_layers = 0;     // how many there are, the output counted
    std::vector<DeviceLoad> devices;  // in the order given; `layers` of each are what --tensor-split wants
    DeviceLoad host;                  // the rest; capacity 0: nobody asked

    bool whole() const { return gpu_layers == all_layers; }
};

// As many layers as fit, from the last on, onto devices in their order; whole layers only. Of each capacity `margin` bytes
// are left free.
Placement place_layers(const MemoryEstimate& estimate, std::span<const std::uint64_t> capacities,
                       std::uint64_t margin = 0);

}  // namespace ggufkit
