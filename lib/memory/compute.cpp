#include "memory/compute.hpp"

#include <algorithm>

#include "core/try.hpp"
#include "memory/bytes.hpp"

namespace ggufkit::memory {

namespace {

constexpr std::uint64_t float_bytes = 4, half_bytes = 2;

std::uint64_t plus(std::uint64_t a, std::uint64_t b) { return saturating_add(a, b); }
std::uint64_t times(std::uint64_t a, std::uint64_t b) { return saturating_mul(a, b); }

// The widest row of keys and of values in any layer's cache.
struct CacheWidth {
    std::uint64_t keys = 0, values = 0;
};

CacheWidth cache_width(const ModelShape& shape) {
    CacheWidth width;
    for (const LayerShape& layer : shape.layers) {
        width.keys = std::max(width.keys, times(layer.kv_heads, layer.key_length));
        width.values = std::max(width.values, times(layer.kv_heads, layer.value_length));
    }
    return width;
}

// Numbers that each token of a batch needs at once, in the widest moment of each kind of work. The factors were fitted to
// what llama.cpp reserves: spec/memory.md has them and how far off they are.
std::uint64_t attention_width(const ModelShape& shape) {
    if (shape.latent_width != 0) return plus(shape.latent_width, shape.embedding);
    const std::uint64_t kv = cache_width(shape).keys;
    return plus(plus(times(2, shape.embedding), times(2, shape.query_width)), std::max(times(2, kv), shape.embedding));
}

std::uint64_t feed_forward_width(const ModelShape& shape) {
    if (shape.wkv) return plus(times(2, shape.feed_forward), times(6, shape.embedding));
    return plus(times(shape.gate ? 3 : 1, shape.feed_forward), times(shape.head ? 4 : 3, shape.embedding));
}

std::uint64_t expert_width(const ModelShape& shape) {
    if (shape.experts_used == 0) return 0;
    const std::uint64_t inside = times(shape.experts_used, shape.expert_forward);
    const std::uint64_t outside = times(shape.experts_used, shape.embedding);
    if (!shape.gate) return plus(inside, times(4, shape.embedding));
    return std::max(plus(times(3, inside), times(4, shape.embedding)), plus(times(2, inside), times(2, outside)));
}

std::uint64_t recurrent_width(const ModelShape& shape) {
    if (shape.wkv) return times(18, shape.embedding);
    if (shape.inner == 0) return 0;
    return plus(times(5, shape.inner), std::max(times(3, shape.embedding), times(12, shape.group_state)));
}

// Embeddings that every layer gets of its own are there for all layers from the start.
std::uint64_t embedding_width(const ModelShape& shape) {
    if (shape.per_layer_embedding == 0) return 0;
    return plus(times(times(4, shape.per_layer_embedding), shape.layers.size()), times(2, shape.embedding));
}

std::uint64_t output_width(const ModelShape& shape) {
    return plus(shape.head ? shape.vocabulary : 0, times(2, shape.embedding));
}

// The moments of a batch, of which the one that takes most decides.
struct Moments {
    Sum inputs, attention, rest, output;
};

Moments moments(const ModelShape& shape, const Batch& batch) {
    const bool attends = std::ranges::any_of(shape.layers, [](const auto& layer) { return layer.kv_heads != 0; });
    const bool slides = std::ranges::any_of(shape.layers, &LayerShape::sliding);
    const bool flash_attention = batch.flash_attention && !shape.position_bias;
    const std::uint64_t cells = !shape.head || shape.encoder ? batch.ubatch : attends ? batch.cells : 0;
    const std::uint64_t masked = plus(cells, slides ? std::min(cells, batch.sliding_cells) : 0);
    const std::uint64_t mask_bytes = flash_attention ? half_bytes : float_bytes;
    const auto [keys, values] = cache_width(shape);

    Moments at;
    // Masks are there from the first layer to the last.
    for (Sum* const moment : {&at.inputs, &at.attention, &at.rest}) moment->add({masked, batch.ubatch, mask_bytes});
    at.inputs.add({shape.embedding, batch.ubatch, float_bytes});
    at.attention.add({attention_width(shape), batch.ubatch, float_bytes});
    if (flash_attention) {
        at.attention.add({cells, plus(batch.f32_keys ? keys : 0, batch.f32_values ? values : 0), half_bytes});
    } else {  // every head has a number for each token and cell
        at.attention.add({cells, shape.heads, batch.ubatch, shape.position_bias ? 3U : 1U, float_bytes});
    }
    at.rest.add(
        {std::max({feed_forward_width(shape), expert_width(shape), recurrent_width(shape), embedding_width(shape)}),
         batch.ubatch, float_bytes});
    at.output.add({output_width(shape), batch.ubatch, float_bytes});
    return at;
}

}  // namespace

Result<ComputeBuffer> compute_buffer(const ModelShape& shape, const Batch& batch) {
    const Moments at = moments(shape, batch);
    ComputeBuffer buffer{};
    for (const Sum* const moment : {&at.attention, &at.rest, &at.output}) {
        TRY_LET(const auto bytes, moment->result("the compute buffer"));
        buffer.bytes = std::max(buffer.bytes, bytes);
    }
    TRY_LET(const auto inputs, at.inputs.result("the compute buffer"));
    buffer.inputs = inputs;
    return buffer;
}

}  // namespace ggufkit::memory
