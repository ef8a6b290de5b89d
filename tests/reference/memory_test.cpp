// estimate_memory() beside what the real llama.cpp would allocate: for the trained model, and for models that are nothing
// but metadata, of every kind of memory that an architecture can have.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <functional>
#include <ggufkit/inspect/memory.hpp>
#include <sstream>

#include "reference/oracle.hpp"
#include "support/files.hpp"
#include "support/header_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr double mebibyte = 1024.0 * 1024.0;

struct Answer {
    double kv_cache = 0, recurrent = 0;  // MiB
    std::optional<double> compute{};
};

std::vector<Answer> ask(const std::string& path, std::span<const MemoryOptions> questions) {
    const auto id = [](TensorType type) { return static_cast<std::uint32_t>(type); };
    std::vector<std::string> command{*reference_dir() + "/llama-memory", path};
    for (const MemoryOptions& options : questions) {
        command.push_back(fmt::format("ctx={},ubatch={},fa={},k={},v={}", options.context, options.ubatch,
                                      options.flash_attention ? 1 : 0, id(options.cache_k), id(options.cache_v)));
    }
    const CommandResult result = run_command(command);
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    std::istringstream text(result.text());
    std::vector<Answer> answers;
    std::string compute;
    for (Answer answer; text >> answer.kv_cache >> answer.recurrent >> compute; answers.push_back(answer)) {
        answer.compute = compute == "-" ? std::nullopt : std::optional(std::strtod(compute.c_str(), nullptr));
    }
    REQUIRE(answers.size() == questions.size());
    return answers;
}

// The caches to the digits that the reference prints (it rounds each kind of cache on its own); the compute buffer within
// an eighth, and a quarter of a MiB of small things: what spec/memory.md promises.
void compare(const std::string& path, const std::vector<MemoryOptions>& questions) {
    const auto model = Model::open(path);
    REQUIRE_MESSAGE(model, model.error().message());
    const std::vector<Answer> answers = ask(path, questions);
    for (std::size_t i = 0; i < questions.size(); ++i) {
        const auto estimate = estimate_memory(*model, questions[i]);
        REQUIRE_MESSAGE(estimate, estimate.error().message());
        CAPTURE(questions[i].context);
        CAPTURE(questions[i].ubatch);
        CHECK(std::abs(static_cast<double>(estimate->kv_cache) / mebibyte - answers[i].kv_cache) <= 0.011);
        CHECK(std::abs(static_cast<double>(estimate->recurrent) / mebibyte - answers[i].recurrent) <= 0.011);
        if (!answers[i].compute) continue;
        const double compute = static_cast<double>(estimate->compute) / mebibyte, real = *answers[i].compute;
        INFO(fmt::format("compute {:+.1f} % of {:.2f} MiB", 100 * (compute / real - 1), real));
        CHECK(std::abs(compute - real) <= real / 8 + 0.25);
    }
}

struct Keys {
    HeaderModel model;
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
        model.header().set("tokenizer.ggml.token_type_count", Value::of_unsigned(ValueType::uint32, 2));
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

Value sections(std::initializer_list<std::int32_t> lengths) {
    std::vector<Value> values;
    for (const std::int32_t length : lengths) values.push_back(Value::of_signed(ValueType::int32, length));
    return Value::of_array(ValueType::int32, values).value();
}

// One for every row of lib/memory/architectures.cpp that is not like another.
std::vector<Keys> models() {
    const auto window = [](Keys keys, std::uint32_t size) { return keys.set("attention.sliding_window", size); };
    const std::vector<std::uint32_t> pattern{1, 1, 1, 0, 1, 1, 1, 0};
    const std::vector<std::uint32_t> all_but_every_eighth{1, 1, 1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 0};
    const auto hybrid = [](Keys keys) {
        keys.model.header().set("qwen35.rope.dimension_sections", sections({11, 11, 10, 0}));
        return keys.state_space(512, 64, 8, 2);
    };
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
        window({"gemma3n", 30}, 512).set("embedding_length_per_layer_input", 256U),
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
        Keys("deepseek2", 4).latent().experts(4, 2, 64).set("attention.head_count_kv", 1U),
        Keys("mamba", 2).state_space(512, 16, 16),
        Keys("mamba2", 2).state_space(512, 64, 16, 2),
        Keys("rwkv7", 2).rwkv(),
        Keys("jamba", 4).state_space(512, 16, 16).set("attention.head_count_kv", third_attends),
        Keys("granitehybrid", 4).granite().state_space(512, 16, 16, 2).set("attention.head_count_kv", third_attends),
        Keys("falcon-h1", 4).state_space(512, 16, 16, 2),
        hybrid({"qwen35", 16}).set("attention.recurrent_layers", all_but_every_eighth),
        hybrid({"qwen35", 16}).set("full_attention_interval", 8U),
        hybrid({"qwen35", 17}).set("full_attention_interval", 4U).set("nextn_predict_layers", 1U),
        Keys("bert", 4),
        Keys("jina-bert-v3", 4),
        Keys("nomic-bert", 4),
        Keys("nomic-bert-moe", 4).set("expert_count", 4U).set("expert_used_count", 2U).set("moe_every_n_layers", 2U),
        window({"modern-bert", 6}, 128).set("rope.freq_base_swa", 1e4F),
        Keys("neo-bert", 4),
        Keys("eurobert", 4),
        window({"gemma-embedding", 12}, 512),
        Keys("llama-embed", 4),
        Keys("dream", 4),
        Keys("gpt2", 4),
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
        compare(folder / "model.gguf", {{.context = 16384}});
    }
}

TEST_CASE("the memory of six layers of models that people run is what llama.cpp reports") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    const auto size = [](Keys keys, std::uint32_t embedding, std::uint32_t feed_forward, std::uint32_t heads,
                         std::uint32_t kv_heads, std::uint32_t vocabulary) {
        return keys.set("embedding_length", embedding)
            .set("feed_forward_length", feed_forward)
            .set("attention.head_count", heads)
            .set("attention.head_count_kv", kv_heads)
            .set("vocab_size", vocabulary);
    };
    const auto head = [](Keys keys, std::uint32_t length) {
        return keys.set("attention.key_length", length).set("attention.value_length", length);
    };
    std::pair<const char*, Keys> named[] = {
        {"Llama 2 7B", size({"llama", 6}, 4096, 11008, 32, 32, 32000)},
        {"Llama 3 8B", size({"llama", 6}, 4096, 14336, 32, 8, 128256)},
        {"Llama 3 70B", size({"llama", 6}, 8192, 28672, 64, 8, 128256)},
        {"Mixtral 8x7B",
         size(Keys("llama", 6).set("expert_count", 8U).set("expert_used_count", 2U), 4096, 14336, 32, 8, 32000)},
        {"Qwen2.5 7B", size({"qwen2", 6}, 3584, 18944, 28, 4, 152064)},
        {"Qwen3 30B-A3B", head(size(Keys("qwen3moe", 6).experts(128, 8, 768), 2048, 6144, 32, 4, 151936), 128)},
        {"Gemma 2 9B", head(size({"gemma2", 6}, 3584, 14336, 16, 8, 256000), 256)},
        {"Gemma 3 27B",
         head(size(Keys("gemma3", 6).set("attention.sliding_window", 1024U), 5376, 21504, 32, 16, 262208), 128)},
        {"gpt-oss 20B", head(size(Keys("gpt-oss", 6).experts(32, 4, 2880).set("attention.sliding_window", 128U), 2880,
                                  2880, 64, 8, 201088),
                             64)},
        {"DeepSeek V3", size(Keys("deepseek2", 6)
                                 .latent()
                                 .experts(256, 8, 2048)
                                 .set("attention.q_lora_rank", 1536U)
                                 .set("attention.kv_lora_rank", 512U)
                                 .set("rope.dimension_count", 64U)
                                 .set("attention.key_length", 576U)
                                 .set("attention.value_length", 512U)
                                 .set("attention.key_length_mla", 192U)
                                 .set("attention.value_length_mla", 128U),
                             7168, 18432, 128, 1, 129280)},
        {"Mamba 2.8B", size(Keys("mamba", 6).state_space(5120, 16, 160), 2560, 0, 0, 0, 50280)},
    };
    // Mixtral's gates are optional: they have to be there to be counted.
    for (const int layer : {0, 1, 2, 3, 4, 5})
        named[3].second.model.matrix(fmt::format("blk.{}.ffn_gate_exps.weight", layer), {4096, 1, 8});
    for (const auto& [name, keys] : named) {
        keys.model.save(folder / "model.gguf");
        const std::string who = name;
        CAPTURE(who);
        std::vector<MemoryOptions> questions;
        for (const std::uint64_t context : {4096, 32768}) {
            questions.push_back({.context = context});
            questions.push_back({.context = context, .ubatch = 2048});
            questions.push_back({.context = context, .flash_attention = false});
        }
        compare(folder / "model.gguf", questions);
    }
}

TEST_CASE("the memory of the trained model is what llama.cpp reports, whatever the context, batch and types of cache") {
    REQUIRE_REFERENCE();
    const std::string path = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";
    std::vector<MemoryOptions> questions{
        {.context = 4096, .flash_attention = false},
        {.context = 4096, .cache_k = TensorType::Q8_0, .flash_attention = false},
    };
    for (const std::uint64_t context : {256, 300, 4096, 65536}) {
        for (const std::uint64_t ubatch : {32, 512}) {
            for (const TensorType type : cache_types())
                questions.push_back({.context = context, .ubatch = ubatch, .cache_k = type, .cache_v = type});
        }
    }
    compare(path, questions);
}
