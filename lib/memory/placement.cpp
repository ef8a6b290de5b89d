#include <algorithm>
#include <ggufkit/inspect/memory.hpp>
#include <optional>

#include "memory/bytes.hpp"

namespace ggufkit {

namespace {

using memory::saturating_add;
using memory::saturating_mul;

// With several devices llama.cpp works on as many batches at once, each with inputs of its own.
constexpr std::uint64_t pipeline_copies = 4;

std::uint64_t compute_on_each(const MemoryEstimate& estimate, std::size_t devices) {
    const std::uint64_t copies = devices > 1 ? pipeline_copies - 1 : 0;
    return saturating_add(estimate.compute, saturating_mul(copies, estimate.compute_inputs));
}

// Layer `i` of all, of which the output is the last.
void put(DeviceLoad& device, const MemoryEstimate& estimate, std::uint64_t i) {
    ++device.layers;
    if (i == estimate.layers.size()) {
        device.weights = saturating_add(device.weights, estimate.output_weights);
        device.weights = saturating_add(device.weights, estimate.output_copy);
        return;
    }
    const LayerMemory& layer = estimate.layers[i];
    device.weights = saturating_add(device.weights, layer.weights);
    device.cache = saturating_add(device.cache, saturating_add(layer.kv_cache, layer.recurrent));
}

// The layers from `first` on, each device filled before the next; nothing where they do not fit.
std::optional<std::vector<DeviceLoad>> fill(const MemoryEstimate& estimate, std::span<const std::uint64_t> capacities,
                                            std::uint64_t margin, std::uint64_t first) {
    const std::uint64_t compute = compute_on_each(estimate, capacities.size());
    std::vector<DeviceLoad> devices;
    std::uint64_t next = first;
    for (const std::uint64_t capacity : capacities) {
        DeviceLoad device{.capacity = capacity};
        for (; next <= estimate.layers.size(); ++next) {
            DeviceLoad more = device;
            more.compute = compute;
            put(more, estimate, next);
            if (saturating_add(more.total(), margin) > capacity) break;
            device = more;
        }
        devices.push_back(device);
    }
    if (next <= estimate.layers.size()) return std::nullopt;
    return devices;
}

DeviceLoad on_host(const MemoryEstimate& estimate, std::uint64_t layers) {
    DeviceLoad host{.weights = estimate.input_weights};
    for (std::uint64_t i = 0; i < layers; ++i) put(host, estimate, i);
    host.compute = layers == 0 ? estimate.compute_inputs : estimate.compute;
    // On the host the embeddings are the output matrix: there is no copy.
    if (layers > estimate.layers.size()) host.weights -= estimate.output_copy;
    return host;
}

}  // namespace

std::uint64_t DeviceLoad::total() const { return saturating_add(saturating_add(weights, cache), compute); }

Placement place_layers(const MemoryEstimate& estimate, std::span<const std::uint64_t> capacities,
                       std::uint64_t margin) {
    Placement placement;
    placement.all_layers = estimate.layers.size() + 1;
    // Fewer layers fit wherever more do: look for the first that can be on a device.
    std::uint64_t low = 0, high = placement.all_layers;
    while (low < high) {
        const std::uint64_t middle = low + (high - low) / 2;
        if (fill(estimate, capacities, margin, middle)) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    placement.gpu_layers = placement.all_layers - low;
    placement.devices = *fill(estimate, capacities, margin, low);
    placement.host = on_host(estimate, low);
    return placement;
}

}  // namespace ggufkit
