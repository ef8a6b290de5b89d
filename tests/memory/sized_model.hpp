// Models of a given shape that are nothing but metadata, or have the tensors of llama too, and their estimates.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <ggufkit/inspect/memory.hpp>

#include "support/header_model.hpp"

namespace ggufkit::test {

inline constexpr std::uint64_t mebibyte = 1 << 20;

struct Size {
    std::uint32_t layers, embedding, feed_forward, heads, kv_heads, vocabulary;
};

// The metadata of a model; `tensors` adds those of llama.
inline HeaderModel sized(std::string_view architecture, const Size& size, bool tensors = false) {
    HeaderModel model(architecture);
    model.set("block_count", size.layers)
        .set("context_length", 8192U)
        .set("embedding_length", size.embedding)
        .set("feed_forward_length", size.feed_forward)
        .set("attention.head_count", size.heads)
        .set("attention.head_count_kv", size.kv_heads)
        .set("vocab_size", size.vocabulary);
    if (!tensors) return model;
    const std::uint64_t kv_width = size.embedding / size.heads * size.kv_heads;
    model.matrix("token_embd.weight", {size.embedding, size.vocabulary})
        .vector("output_norm.weight", size.embedding)
        .matrix("output.weight", {size.embedding, size.vocabulary});
    for (std::uint32_t i = 0; i < size.layers; ++i) {
        const std::string layer = fmt::format("blk.{}.", i);
        model.vector(layer + "attn_norm.weight", size.embedding)
            .vector(layer + "ffn_norm.weight", size.embedding)
            .matrix(layer + "attn_q.weight", {size.embedding, size.embedding})
            .matrix(layer + "attn_k.weight", {size.embedding, kv_width})
            .matrix(layer + "attn_v.weight", {size.embedding, kv_width})
            .matrix(layer + "attn_output.weight", {size.embedding, size.embedding})
            .matrix(layer + "ffn_gate.weight", {size.embedding, size.feed_forward})
            .matrix(layer + "ffn_up.weight", {size.embedding, size.feed_forward})
            .matrix(layer + "ffn_down.weight", {size.feed_forward, size.embedding});
    }
    return model;
}

// Of a file in memory, with a hole for data.
inline Model opened(const HeaderModel& model) {
    const auto layout = make_layout(model.header());
    REQUIRE_MESSAGE(layout, layout.error().message());
    const int fd = ::memfd_create("model", MFD_CLOEXEC);
    REQUIRE(::write(fd, layout->header.data(), layout->header.size()) == std::ssize(layout->header));
    REQUIRE(::ftruncate(fd, static_cast<off_t>(layout->file_bytes)) == 0);
    ::lseek(fd, 0, SEEK_SET);
    auto open = Model::read(fd, "model.gguf");
    ::close(fd);
    REQUIRE_MESSAGE(open, open.error().message());
    return std::move(*open);
}

inline MemoryEstimate estimate(const HeaderModel& model, const MemoryOptions& options = {}) {
    const auto estimate = estimate_memory(opened(model), options);
    REQUIRE_MESSAGE(estimate, estimate.error().message());
    return *estimate;
}

inline Error error_of(const HeaderModel& model, const MemoryOptions& options = {}) {
    const auto estimate = estimate_memory(opened(model), options);
    REQUIRE(!estimate);
    return estimate.error();
}

}  // namespace ggufkit::test
