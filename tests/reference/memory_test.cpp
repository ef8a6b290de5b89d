// estimate_memory() beside what the real llama.cpp would allocate: for the trained model, and for models that are nothing
// but metadata, of every kind of memory that an architecture can have.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <ggufkit/memory.hpp>
#include <sstream>

#include "support/oracle.hpp"
#include "support/synthetic_model.hpp"
#include "support/temporary.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr double mebibyte = 1024.0 * 1024.0;

struct Answer {
    double kv_cache = 0, recurrent = 0;  // MiB
    std::optional<double> compute{};
};

Answer ask(const std::string& path, const MemoryOptions& options) {
    const auto id = [](TensorType type) { return std::to_string(static_cast<std::uint32_t>(type)); };
    const CommandResult result =
        run_command({*reference_dir() + "/llama-memory", path, fmt::format("ctx={}", options.context),
                     fmt::format("ubatch={}", options.ubatch), fmt::format("fa={}", options.flash_attention ? 1 : 0),
                     "k=" + id(options.cache_k), "v=" + id(options.cache_v)});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    std::istringstream text(result.text());
    std::string compute;
    Answer answer;
    text >> answer.kv_cache >> answer.recurrent >> compute;
    if (compute != "-") answer.compute = std::strtod(compute.c_str(), nullptr);
    return answer;
}

// The caches to the digits that the reference prints (it rounds each kind of cache on its own); the compute buffer within
// `below` and `above`, as parts of what the reference reserves, and a quarter of a MiB of small things.
void compare(const std::string& path, const MemoryOptions& options, double below, double above) {
    const auto model = Model::open(path);
    REQUIRE_MESSAGE(model, model.error().message());
    const auto estimate = estimate_memory(*model, options);
    REQUIRE_MESSAGE(estimate, estimate.error().message());
    const Answer real = ask(path, options);
    CHECK(std::abs(static_cast<double>(estimate->kv_cache) / mebibyte - real.kv_cache) <= 0.011);
    CHECK(std::abs(static_cast<double>(estimate->recurrent) / mebibyte - real.recurrent) <= 0.011);
    if (!real.compute) return;
    const double compute = static_cast<double>(estimate->compute) / mebibyte;
    MESSAGE(fmt::format("compute {:+.1f} % of {:.2f} MiB", 100 * (compute / *real.compute - 1), *real.compute));
    CHECK(compute >= *real.compute * (1 - below) - 0.25);
    CHECK(compute <= *real.compute * (1 + above) + 0.25);
}

struct Keys {
    SyntheticModel model;
    Keys(std::string_view architecture, std::uint32_t layers) : model(architecture) {
        model.header().set("tokenizer.ggml.model", Value::of_string("no_vocab"));
        model.set("block_count", layers)
            .set("context_length", std::uint32_t{8192})
            .set("embedding_length", std::uint32_t{256})
            .set("feed_forward_length", std::uint32_t{512})
            .set("attention.head_count", std::uint32_t{8})
            .set("attention.head_count_kv", std::uint32_t{4})
            .set("attention.layer_norm_rms_epsilon", 1e-5F)
            .set("attention.layer_norm_epsilon", 1e-5F)
            .set("vocab_size", std::uint32_t{1024});
    }
    template <class T>
    Keys& set(std::string_view key, const T& value) {
        model.set(key, value);
        return *this;
    }
    Keys& experts(std::uint32_t all, std::uint32_t used, std::uint32_t width) {
        return set("expert_count", all)
            .set("expert_used_count", used)
            .set("expert_feed_forward_length", width)
            .set("expert_shared_feed_forward_length", width)
            .set("leading_dense_block_count", 1U)
            .set("expert_shared_count", 1U)
            .set("expert_weights_scale", 1.0F)
            .set("expert_gating_func", 2U);
    }
    Keys& state_space(std::uint32_t inner, std::uint32_t state, std::uint32_t rank, std::uint32_t groups = 0) {
        set("ssm.conv_kernel", 4U).set("ssm.inner_size", inner).set("ssm.state_size", state);
        set("ssm.time_step_rank", rank);
        return groups == 0 ? *this : set("ssm.group_count", groups);
    }
    Keys& granite() {
        return set("residual_scale", 1.0F)
            .set("embedding_scale", 1.0F)
            .set("attention.scale", 1.0F)
            .set("logit_scale", 1.0F);
    }
    Keys& latent() {
        return set("attention.q_lora_rank", 128U)
            .set("attention.kv_lora_rank", 128U)
            .set("rope.dimension_count", 32U)
            .set("attention.key_length", 160U)
            .set("attention.value_length", 128U)
            .set("attention.key_length_mla", 96U)
            .set("attention.value_length_mla", 64U);
    }
    Keys& rwkv() {
        return set("wkv.head_size", 32U)
            .set("attention.decay_lora_rank", 16U)
            .set("attention.iclr_lora_rank", 16U)
            .set("attention.value_residual_mix_lora_rank", 16U)
            .set("attention.gate_lora_rank", 16U)
            .set("token_shift_count", 2U);
    }
};

const std::vector<std::uint32_t> third_attends{0, 0, 4, 0};

// One for every row of lib/memory/architectures.cpp that is not like another.
std::vector<Keys> models() {
    const auto window = [](Keys keys, std::uint32_t size) { return keys.set("attention.sliding_window", size); };
    const std::vector<std::uint32_t> pattern{1, 1, 1, 0, 1, 1, 1, 0};
    return {
        Keys("llama", 4),
        window({"llama", 4}, 1000),  // not looked at
        window({"phi3", 4}, 1000),
        Keys("gemma2", 6),
        window({"gemma2", 6}, 1000),
        Keys("gemma3", 8),  // no window: none slides
        window({"gemma3", 13}, 512),
        window({"gemma3", 8}, 512).set("attention.sliding_window_pattern", 4U),
        window({"gemma3", 8}, 512).set("attention.sliding_window_pattern", pattern),
        window({"gemma3n", 30}, 512).set("embedding_length_per_layer_input", 64U),
        window({"gpt-oss", 6}, 128).experts(4, 2, 64),
        window({"cohere2", 9}, 4096).set("logit_scale", 1.0F),
        window({"exaone4", 8}, 1000),
        Keys("exaone4", 64),
        window({"olmo2", 8}, 1000),
        window({"smallthinker", 8}, 1000).experts(4, 2, 64),
        window({"plamo3", 9}, 1000),
        window({"mimo2", 8}, 512)
            .experts(4, 2, 64)
            .set("attention.sliding_window_pattern", pattern)
            .set("attention.head_count_kv", std::vector<std::uint32_t>{4, 4, 4, 2, 4, 4, 4, 2})
            .set("attention.key_length", 48U)
            .set("attention.value_length", 32U)
            .set("rope.freq_base_swa", 1e4F),
        Keys("llama4", 8).experts(4, 1, 64).set("interleave_moe_layer_step", 1U),
        Keys("glm4moe", 5).experts(4, 2, 64).set("nextn_predict_layers", 1U),
        Keys("qwen3moe", 4).experts(8, 4, 512),
        Keys("deepseek2", 4)
            .latent()
            .experts(4, 2, 64)
            .set("attention.head_count_kv", 1U),
        Keys("mamba", 2).state_space(512, 16, 16),
        Keys("mamba2", 2).state_space(512, 64, 16, 2),
        Keys("rwkv7", 2).rwkv(),
        Keys("jamba", 4).state_space(512, 16, 16).set("attention.head_count_kv", third_attends),
        Keys("granitehybrid", 4).granite().state_space(512, 16, 16, 2).set("attention.head_count_kv", third_attends),
        Keys("falcon-h1", 4).state_space(512, 16, 16, 2),
        Keys("lfm2", 4).set("shortconv.l_cache", 3U).set("attention.head_count_kv", third_attends),
        Keys("qwen3next", 8).state_space(512, 64, 8, 2).experts(4, 2, 64),
        Keys("kimi-linear", 4)
            .latent()
            .experts(4, 2, 64)
            .set("ssm.conv_kernel", 4U)
            .set("kda.head_dim", 32U)
            .set("attention.head_count_kv", std::vector<std::uint32_t>{0, 0, 0, 1}),
    };
}

}  // namespace

TEST_CASE("the memory of architectures is what llama.cpp reports: caches exactly, compute buffers about") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    for (const Keys& keys : models()) {
        keys.model.save(folder / "model.gguf");
        CAPTURE(keys.model.architecture());
        compare(folder / "model.gguf", {.context = 16384}, 0.6, 0.6);
    }
}
