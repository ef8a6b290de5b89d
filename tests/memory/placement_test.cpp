// Layers onto devices.
#include <doctest/doctest.h>

#include <ggufkit/inspect/memory.hpp>
#include <limits>
#include <random>

using namespace ggufkit;

namespace {

// Ten layers of 100 bytes and 10 of cache, an output of 50, embeddings of 40; 20 for each device to compute in.
MemoryEstimate ten_layers() {
    MemoryEstimate memory;
    memory.layers.resize(10, {.weights = 100, .kv_cache = 10});
    memory.input_weights = 40;
    memory.output_weights = 50;
    memory.kv_cache = 100;
    memory.compute = 20;
    memory.compute_inputs = 5;
    return memory;
}

Placement place(const std::vector<std::uint64_t>& capacities, std::uint64_t margin = 0) {
    return place_layers(ten_layers(), capacities, margin);
}

std::vector<std::uint64_t> layers_of(const Placement& placement) {
    std::vector<std::uint64_t> layers;
    for (const DeviceLoad& device : placement.devices) layers.push_back(device.layers);
    return layers;
}

}  // namespace

TEST_CASE("all layers go onto a device that holds them, and not onto one that is a byte too small") {
    const std::uint64_t all = 10 * 110 + 50 + 20;
    const Placement placement = place({all});
    CHECK(placement.whole());
    CHECK(placement.gpu_layers == 11);
    CHECK(placement.devices[0].total() == all);
    CHECK(placement.host.layers == 0);
    CHECK(placement.host.weights == 40);
    CHECK(placement.host.compute == 5);
    CHECK(place({all - 1}).gpu_layers == 10);
    CHECK(place({all + 7}, 7).whole());
    CHECK(!place({all + 7}, 8).whole());
}

TEST_CASE("where not all fit, the last do, the output first") {
    CHECK(place({69}).gpu_layers == 0);
    CHECK(place({70}).gpu_layers == 1);
    const Placement placement = place({70 + 2 * 110});
    CHECK(placement.gpu_layers == 3);
    CHECK(placement.devices[0].weights == 250);
    CHECK(placement.devices[0].cache == 20);
    CHECK(placement.host.layers == 8);
    CHECK(placement.host.weights == 40 + 800);
    CHECK(placement.host.compute == 20);
}

TEST_CASE("a device that gets nothing computes nothing") {
    CHECK(place({10}).devices[0].total() == 0);
    CHECK(place({}).gpu_layers == 0);
    CHECK(place({}).host.layers == 11);
}

TEST_CASE("several devices are filled in their order, with four copies of their inputs") {
    const Placement placement = place({6 * 110 + 35, 10, 5 * 110 + 35});
    CHECK(placement.whole());
    CHECK(layers_of(placement) == std::vector<std::uint64_t>{6, 0, 5});
    CHECK(placement.devices[0].compute == 35);
    CHECK(placement.devices[1].compute == 0);
    CHECK(place({6 * 110 + 35, 4 * 110 + 35}).gpu_layers == 10);
}

TEST_CASE("embeddings that are the output too are copied to a device, and not to the host") {
    MemoryEstimate tied = ten_layers();
    tied.output_weights = 10;
    tied.output_copy = 40;
    CHECK(place_layers(tied, std::vector<std::uint64_t>{70}).devices[0].weights == 50);
    CHECK(place_layers(tied, {}).host.weights == 40 + 1000 + 10);
}

TEST_CASE("nothing is lost and no device is too full, whatever the sizes") {
    std::mt19937 random(1);
    const auto below = [&](std::uint64_t limit) { return random() % limit; };
    for (int i = 0; i < 300; ++i) {
        MemoryEstimate memory = ten_layers();
        std::uint64_t weights = memory.input_weights + memory.output_weights;
        for (LayerMemory& layer : memory.layers) {
            layer = {.weights = below(300), .kv_cache = below(50), .recurrent = below(5)};
            weights += layer.weights;
        }
        const std::vector<std::uint64_t> capacities{below(2000), below(1000), below(1000)};
        const Placement placement = place_layers(memory, capacities, 3);
        std::uint64_t layers = placement.host.layers, placed = placement.host.weights;
        for (const DeviceLoad& device : placement.devices) {
            layers += device.layers;
            placed += device.weights;
            if (device.layers != 0) CHECK(device.total() + 3 <= device.capacity);
        }
        CHECK(layers == 11);
        CHECK(placed == weights);
        CHECK(placement.gpu_layers == 11 - placement.host.layers);
    }
}

TEST_CASE("numbers as large as they get do not wrap") {
    MemoryEstimate memory = ten_layers();
    memory.layers[3].weights = std::numeric_limits<std::uint64_t>::max();
    const Placement placement = place_layers(memory, std::vector<std::uint64_t>{1000, 1000});
    CHECK(placement.gpu_layers == 7);
    CHECK(placement.host.total() == std::numeric_limits<std::uint64_t>::max());
    CHECK(memory.total() == std::numeric_limits<std::uint64_t>::max());
}
