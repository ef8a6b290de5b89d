#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ggufkit/inspect/memory.hpp>
#include <numeric>

#include "core/try.hpp"
#include "memory/bytes.hpp"
#include "memory/compute.hpp"
#include "memory/shape.hpp"
#include "plan/roles.hpp"

namespace ggufkit {

namespace {

constexpr std::uint64_t context_step = 256;  // llama.cpp rounds the cells of a cache up to it

constexpr std::array kv_types{TensorType::F32,    TensorType::F16,  TensorType::BF16,
                              TensorType::Q8_0,   TensorType::Q4_0, TensorType::Q4_1,
                              TensorType::IQ4_NL, TensorType::Q5_0, TensorType::Q5_1};

Result<void> check_options(const MemoryOptions& options) {
    const auto refuse = [](std::string detail) {
        return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
    };
    for (const TensorType type : {options.cache_k, options.cache_v}) {
        if (std::ranges::find(kv_types, type) == kv_types.end())
            return refuse(fmt::format("llama.cpp has no cache of {}", format_of(type).name));
    }
    if (!options.flash_attention && format_of(options.cache_v).quantized())
        return refuse(fmt::format("a {} cache of values needs flash attention", format_of(options.cache_v).name));
    return {};
}

// Where the bytes of a tensor lie when the model runs.
class Weighing {
  public:
    Weighing(MemoryEstimate& estimate, bool tied) : estimate_(estimate), tied_(tied) {}

    void add(std::string_view name, std::uint64_t bytes, std::uint64_t elements) {
        const auto block = plan::block_of(name);
        const bool in_layer = block && *block < estimate_.layers.size(), output = name.starts_with("output");
        std::uint64_t& pile = in_layer ? estimate_.layers[*block].weights
                              : output ? estimate_.output_weights
                                       : estimate_.input_weights;
        pile = memory::saturating_add(pile, bytes);
        const bool copied = tied_ && name == "token_embd.weight";
        if (copied) estimate_.output_copy = bytes;
        if (in_layer || output || copied)
            estimate_.device_elements = memory::saturating_add(estimate_.device_elements, elements);
    }

  private:
    MemoryEstimate& estimate_;
    bool tied_;
};

Result<void> weigh(MemoryEstimate& estimate, const Model& model, bool head, const Plan* plan) {
    Weighing weighing(estimate, head && model.find_tensor("output.weight") == nullptr);
    if (plan != nullptr) {
        for (const PlannedTensor& tensor : plan->tensors)
            weighing.add(tensor.name, tensor.bytes_out, memory::saturating_mul(tensor.ne[0], tensor.rows()));
        return {};
    }
    for (const ModelTensor& tensor : model.tensors()) {
        const auto bytes = tensor.info->bytes(), elements = tensor.info->elements();
        if (!bytes || !elements) return fail(bytes ? elements.error() : bytes.error());
        weighing.add(tensor.info->name, *bytes, *elements);
    }
    return {};
}

// Bytes of one cell of a layer's cache: all heads of a token. Heads are stored whole blocks each.
Result<std::uint64_t> cell_bytes(TensorType type, std::uint64_t head_length, std::uint64_t heads) {
    const FormatInfo& format = format_of(type);
    if (head_length % format.block_elements != 0) {
        return fail(
            {.code = Errc::bad_argument,
             .detail = fmt::format("a {} cache has blocks of {} numbers, and the heads of this model are {} wide",
                                   format.name, format.block_elements, head_length)});
    }
    return memory::Sum().add({head_length / format.block_elements, format.block_bytes, heads}).result("a cache cell");
}

Result<void> add_caches(MemoryEstimate& estimate, const memory::ModelShape& shape, const MemoryOptions& options,
                        std::uint64_t window_cells) {
    memory::Sum cache, state;
    for (std::size_t i = 0; i < shape.layers.size(); ++i) {
        const memory::LayerShape& from = shape.layers[i];
        LayerMemory& layer = estimate.layers[i];
        layer.sliding = from.sliding && from.kv_heads != 0;
        if (from.kv_heads != 0) {
            const auto k = cell_bytes(options.cache_k, from.key_length, from.kv_heads);
            const auto v = cell_bytes(options.cache_v, from.value_length, from.kv_heads);
            if (!k || !v) return fail(k ? v.error() : k.error());
            const std::uint64_t cells = from.sliding ? window_cells : estimate.context;
            TRY_LET(const auto bytes, memory::Sum().add({cells, *k}).add({cells, *v}).result("the KV cache"));
            layer.kv_cache = bytes;
        }
        TRY_LET(const auto recurrent, memory::Sum().add({from.state, 4}).result("the recurrent state"));
        layer.recurrent = recurrent;
        cache.add({layer.kv_cache});
        state.add({layer.recurrent});
    }
    const auto kv_cache = cache.result("the KV cache"), recurrent = state.result("the recurrent state");
    if (!kv_cache || !recurrent) return fail(kv_cache ? recurrent.error() : kv_cache.error());
    estimate.kv_cache = *kv_cache;
    estimate.recurrent = *recurrent;
    return {};
}

}  // namespace

std::span<const TensorType> cache_types() noexcept { return kv_types; }

std::uint64_t MemoryEstimate::weights() const {
    return memory::saturating_add(input_weights, device_weights() - output_copy);
}

std::uint64_t MemoryEstimate::device_weights() const {
    std::uint64_t sum = memory::saturating_add(output_weights, output_copy);
    for (const LayerMemory& layer : layers) sum = memory::saturating_add(sum, layer.weights);
    return sum;
}

std::uint64_t MemoryEstimate::besides_weights() const {
    return memory::saturating_add(memory::saturating_add(kv_cache, recurrent), compute);
}

std::uint64_t MemoryEstimate::total() const { return memory::saturating_add(weights(), besides_weights()); }

std::uint64_t MemoryEstimate::on_device() const { return memory::saturating_add(device_weights(), besides_weights()); }

std::uint64_t MemoryEstimate::on_host() const { return memory::saturating_add(input_weights, compute_inputs); }

Result<MemoryEstimate> estimate_memory(const Model& model, const MemoryOptions& options) {
    TRY(check_options(options));
    MemoryEstimate estimate;
    TRY_LET(const auto shape, memory::read_shape(model, estimate.assumptions));
    estimate.layers.resize(shape.layers.size());
    TRY(weigh(estimate, model, shape.head, options.plan));

    const std::uint64_t wanted = options.context == 0 ? shape.context : options.context;
    const auto cells = checked_align(wanted, context_step);
    if (options.ubatch > largest_ubatch) {
        estimate.assumptions.push_back(fmt::format(
            "no more than {} tokens are computed at once: llama.cpp's --batch-size is not raised", largest_ubatch));
    }
    const std::uint64_t ubatch =
        std::clamp<std::uint64_t>(options.ubatch, 1, std::min(largest_ubatch, std::max<std::uint64_t>(wanted, 1)));
    const auto reach = checked_add(shape.window, ubatch);
    const auto window_cells = reach ? checked_align(*reach, context_step) : std::nullopt;
    if (!cells) return fail({.code = Errc::size_overflow, .detail = "the context is too large to count"});
    estimate.context = *cells;
    const std::uint64_t sliding_cells = std::min(*cells, window_cells.value_or(*cells));
    TRY(add_caches(estimate, shape, options, sliding_cells));
    TRY_LET(const auto compute, memory::compute_buffer(shape, {.cells = *cells,
                                                               .sliding_cells = sliding_cells,
                                                               .ubatch = ubatch,
                                                               .flash_attention = options.flash_attention,
                                                               .f32_keys = options.cache_k == TensorType::F32,
                                                               .f32_values = options.cache_v == TensorType::F32}));
    estimate.compute = compute.bytes;
    estimate.compute_inputs = compute.inputs;
    return estimate;
}

}  // namespace ggufkit
