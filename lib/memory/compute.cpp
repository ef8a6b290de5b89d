#include "memory/compute.hpp"

#include <algorithm>

#include "memory/bytes.hpp"

namespace ggufkit::memory {

namespace {

constexpr std::uint64_t float_bytes = 4, half_bytes = 2;

std::uint64_t plus(std::uint64_t a, std::uint64_t b) { return saturating_add(a, b); }
std::uint64_t times(std::uint64_t a, std::uint64_t b) { return saturating_mul(a, b); }

// Numbers that each token of a batch needs at once, in the widest moment of each kind of work. The factors were fitted to
// what llama.cpp reserves: spec/memory.md has them and how far off they are.
std::uint64_t attention_width(const ModelShape& shape) {
    std::uint64_t kv = 0;
    for (const LayerShape& layer : shape.layers) kv = std::max(kv, times(layer.kv_heads, layer.key_length));
    return plus(plus(times(2, shape.embedding), times(2, shape.query_width)), std::max(times(2, kv), shape.embedding));
}

std::uint64_t feed_forward_width(const ModelShape& shape) {
    if (shape.wkv) return plus(times(2, shape.feed_forward), times(6, shape.embedding));
    return plus(times(3, shape.feed_forward), times(4, shape.embedding));
}

std::uint64_t expert_width(const ModelShape& shape) {
    if (shape.experts_used == 0) return 0;
    const std::uint64_t inside = times(shape.experts_used, shape.expert_forward);
    const std::uint64_t outside = times(shape.experts_used, shape.embedding);
    return std::max(plus(times(3, inside), times(4, shape.embedding)), plus(times(2, inside), times(2, outside)));
}

std::uint64_t recurrent_width(const ModelShape& shape) {
    if (shape.wkv) return times(18, shape.embedding);
    if (shape.inner == 0) return 0;
    return plus(times(5, shape.inner), std::max(times(3, shape.embedding), times(12, shape.group_state)));
}

std::uint64_t output_width(const ModelShape& shape) { return plus(shape.vocabulary, times(2, shape.embedding)); }

}  // namespace

Result<ComputeBuffer> compute_buffer(const ModelShape& shape, const Batch& batch) {
    const bool attends = std::ranges::any_of(shape.layers, [](const auto& layer) { return layer.kv_heads != 0; });
    const bool slides = std::ranges::any_of(shape.layers, &LayerShape::sliding);
    const std::uint64_t cells = shape.encoder ? batch.ubatch : attends ? batch.cells : 0;
    const std::uint64_t masked = plus(cells, slides ? batch.sliding_cells : 0);
    const std::uint64_t mask_bytes = batch.flash_attention ? half_bytes : float_bytes;

    // Without flash attention every head has a number for each token and cell.
    const std::uint64_t scores = batch.flash_attention ? 0 : times(cells, shape.heads);
    const std::uint64_t width = std::max(
        {plus(attention_width(shape), scores), feed_forward_width(shape), expert_width(shape), recurrent_width(shape)});
    Sum layers, output, inputs;
    layers.add({masked, batch.ubatch, mask_bytes}).add({width, batch.ubatch, float_bytes});
    inputs.add({masked, batch.ubatch, mask_bytes}).add({shape.embedding, batch.ubatch, float_bytes});
    output.add({output_width(shape), batch.ubatch, float_bytes});
    const auto in_layers = layers.result("the compute buffer"), at_output = output.result("the compute buffer"),
               at_input = inputs.result("the compute buffer");
    for (const auto* part : {&in_layers, &at_output, &at_input})
        if (!*part) return fail(part->error());
    return ComputeBuffer{std::max(*in_layers, *at_output), *at_input};
}

}  // namespace ggufkit::memory
