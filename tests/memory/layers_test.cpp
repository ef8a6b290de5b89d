// Which layers cache, which keep a state, and what models without a language head take: beside what llama.cpp prints.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <ggufkit/inspect/memory.hpp>

#include "memory/sized_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

double in_mebibytes(std::uint64_t bytes) { return static_cast<double>(bytes) / static_cast<double>(mebibyte); }

// The shape of Qwen3.5: state-space layers, and layers that attend with heads of 256.
HeaderModel hybrid(std::string_view architecture, std::uint32_t layers) {
    HeaderModel model = sized(architecture, {layers, 1024, 2048, 8, 2, 1000});
    model.set("attention.key_length", 256U).set("attention.value_length", 256U);
    model.set("ssm.conv_kernel", 4U).set("ssm.state_size", 128U).set("ssm.group_count", 8U);
    model.set("ssm.time_step_rank", 16U).set("ssm.inner_size", 2048U);
    return model;
}

// The tensors that tell what a layer does.
void add_parts(HeaderModel& model, std::uint32_t layer, bool attention, bool state) {
    const std::string name = fmt::format("blk.{}.", layer);
    if (attention) model.matrix(name + "attn_k.weight", {1024, 512});
    if (state) model.matrix(name + "ssm_out.weight", {2048, 1024});
    model.matrix(name + "ffn_up.weight", {1024, 2048});
}

std::string kinds(const MemoryEstimate& memory) {
    std::string text;
    for (const LayerMemory& layer : memory.layers) {
        text += layer.kv_cache != 0 && layer.recurrent != 0 ? 'b'
                : layer.kv_cache != 0                       ? 'a'
                : layer.recurrent != 0                      ? 's'
                                                            : '-';
    }
    return text;
}

std::vector<std::uint32_t> all_but_every(std::uint32_t nth, std::uint32_t layers) {
    std::vector<std::uint32_t> flags;
    for (std::uint32_t i = 0; i < layers; ++i) flags.push_back(i % nth == nth - 1 ? 0 : 1);
    return flags;
}

}  // namespace

TEST_CASE("a model without a language head has no probabilities and no second embedding") {
    // llama.cpp v0.5.0 reserves 4.01 and 14.51 MiB for these two, and 64.02 MiB for a batch of 8192 tokens, of which it
    // computes 2048 at once.
    const auto compute = [](const Size& size, const MemoryOptions& options) {
        return in_mebibytes(estimate(sized("bert", size), options).compute);
    };
    constexpr Size small{3, 256, 1024, 4, 4, 30522}, large{24, 1024, 4096, 16, 16, 250002};
    CHECK(compute(small, {.context = 512}) == doctest::Approx(4.01).epsilon(0.01));
    CHECK(compute(large, {.context = 512}) == doctest::Approx(14.51).epsilon(0.01));
    CHECK(compute(large, {.context = 8192, .ubatch = 8192}) == doctest::Approx(64.02).epsilon(0.01));

    for (const char* name :
         {"bert", "eurobert", "gemma-embedding", "jina-bert-v2", "jina-bert-v3", "llama-embed", "modern-bert",
          "neo-bert", "nomic-bert", "nomic-bert-moe", "t5encoder", "wavtokenizer-dec"}) {
        CAPTURE(std::string(name));
        HeaderModel encoder = sized(name, {4, 256, 512, 4, 4, 1000});
        HeaderModel with_words = sized(name, {4, 256, 512, 4, 4, 250000});
        with_words.matrix("token_embd.weight", {256, 250000});
        const MemoryEstimate memory = estimate(with_words, {.context = 512});
        CHECK(memory.compute == estimate(encoder, {.context = 512}).compute);
        CHECK(memory.output_copy == 0);
        CHECK(memory.on_device() + memory.input_weights == memory.total());
        CHECK(memory.assumptions.empty());
    }
    // Those that llama.cpp has no cache for, and those that it has one for all the same.
    CHECK(estimate(sized("gemma-embedding", {4, 256, 512, 4, 4, 1000})).kv_cache == 0);
    CHECK(estimate(sized("llama-embed", {4, 1024, 4096, 16, 16, 1000}), {.context = 512}).kv_cache == 8 * mebibyte);
    CHECK(estimate(sized("t5encoder", {4, 1024, 4096, 16, 16, 1000}), {.context = 512}).kv_cache == 8 * mebibyte);
    // Diffusion models remember nothing either, but have probabilities.
    CHECK(estimate(sized("dream", {4, 256, 512, 4, 4, 250000})).compute >
          estimate(sized("dream", {4, 256, 512, 4, 4, 1000})).compute);
}

TEST_CASE("a feed-forward network without a gate needs less") {
    // llama.cpp reserves 32.51 MiB with one, 16.51 MiB without.
    HeaderModel model = sized("llama", {4, 1024, 4096, 16, 16, 1000});
    CHECK(in_mebibytes(estimate(model, {.context = 512}).compute) == doctest::Approx(32.51).epsilon(0.01));
    model.matrix("blk.0.ffn_up.weight", {1024, 4096});
    CHECK(in_mebibytes(estimate(model, {.context = 512}).compute) == doctest::Approx(16.51).epsilon(0.01));
    HeaderModel fused = sized("llama", {4, 1024, 4096, 16, 16, 1000});
    fused.matrix("blk.0.ffn_up.weight", {1024, 8192});
    CHECK(in_mebibytes(estimate(fused, {.context = 512}).compute) == doctest::Approx(32.51).epsilon(0.01));
}

TEST_CASE("a batch is no larger than llama.cpp's --batch-size") {
    const HeaderModel model = sized("llama", {4, 256, 512, 4, 4, 1000});
    const MemoryEstimate large = estimate(model, {.context = 8192, .ubatch = 8192});
    CHECK(large.compute == estimate(model, {.context = 8192, .ubatch = 2048}).compute);
    REQUIRE(large.assumptions.size() == 1);
    CHECK(large.assumptions[0] ==
          "no more than 2048 tokens are computed at once: llama.cpp's --batch-size is not raised");
}

TEST_CASE("attention.recurrent_layers goes before full_attention_interval") {
    // llama.cpp: 64 MiB of cache in 4 layers, 29.31 MiB of state.
    HeaderModel by_array = hybrid("qwen35", 32), by_interval = hybrid("qwen35", 32), by_both = hybrid("qwen35", 32);
    by_array.set("attention.recurrent_layers", all_but_every(8, 32));
    by_interval.set("full_attention_interval", 8U);
    by_both.set("attention.recurrent_layers", all_but_every(8, 32)).set("full_attention_interval", 4U);
    for (const HeaderModel* model : {&by_array, &by_interval, &by_both}) {
        const MemoryEstimate memory = estimate(*model, {.context = 8192});
        CHECK(memory.kv_cache == 64 * mebibyte);
        CHECK(in_mebibytes(memory.recurrent) == doctest::Approx(29.31).epsilon(0.001));
    }
    HeaderModel short_one = hybrid("qwen35", 32);
    short_one.set("attention.recurrent_layers", all_but_every(8, 31));
    CHECK(error_of(short_one).code == Errc::out_of_range);
}

TEST_CASE("a layer that predicts further tokens has neither cache nor state") {
    // llama.cpp: 25.12 MiB of state with and without it.
    HeaderModel with = hybrid("qwen35", 33);
    with.set("nextn_predict_layers", 1U).set("full_attention_interval", 4U);
    const MemoryEstimate memory = estimate(with, {.context = 8192});
    CHECK(memory.kv_cache == 128 * mebibyte);
    CHECK(in_mebibytes(memory.recurrent) == doctest::Approx(25.12).epsilon(0.001));
    CHECK(kinds(memory) == "sssasssasssasssasssasssasssasssa-");
}

TEST_CASE("an architecture that is not known is told by its keys and tensors") {
    const auto one_assumption = [](const MemoryEstimate& memory, std::string_view text) {
        REQUIRE(memory.assumptions.size() == 1);
        CHECK_MESSAGE(memory.assumptions[0].find(text) != std::string::npos, memory.assumptions[0]);
    };
    constexpr std::string_view by_file = "its metadata and tensors decide which layers have a recurrent state";
    HeaderModel by_array = hybrid("qwen9", 8);
    by_array.set("attention.recurrent_layers", all_but_every(4, 8));
    CHECK(kinds(estimate(by_array)) == "sssasssa");
    one_assumption(estimate(by_array), by_file);
    HeaderModel by_interval = hybrid("qwen9", 8);
    by_interval.set("full_attention_interval", 2U);
    CHECK(kinds(estimate(by_interval)) == "sasasasa");
    HeaderModel by_heads = hybrid("qwen9", 4);
    by_heads.set("attention.head_count_kv", std::vector<std::uint32_t>{0, 2, 0, 2});
    CHECK(kinds(estimate(by_heads)) == "sasa");
    HeaderModel by_tensors = hybrid("qwen9", 5);
    for (const std::uint32_t layer : {0U, 1U, 2U, 3U, 4U})
        add_parts(by_tensors, layer, layer == 2 || layer == 4, layer != 2);
    CHECK(kinds(estimate(by_tensors)) == "ssasb");
    // Nothing tells: the most that there can be.
    CHECK(kinds(estimate(hybrid("qwen9", 3))) == "bbb");
    CHECK(estimate(sized("qwen9", {2, 256, 512, 8, 2, 1024})).recurrent == 0);

    HeaderModel encoder = sized("bert9", {4, 256, 512, 4, 4, 250000});
    encoder.set("attention.causal", false).matrix("token_embd.weight", {256, 250000});
    const MemoryEstimate memory = estimate(encoder, {.context = 512});
    CHECK(memory.kv_cache == 0);
    CHECK(memory.output_copy == 0);
    CHECK(memory.compute < 16 * mebibyte);
    one_assumption(memory, "attention.causal is false, so it is taken to be an encoder");
}
