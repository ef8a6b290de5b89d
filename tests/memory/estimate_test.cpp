// Estimates beside numbers that are known: published sizes, and what llama.cpp prints as it loads a model.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <ggufkit/inspect/memory.hpp>

#include "memory/sized_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr Size llama_2_7b{32, 4096, 11008, 32, 32, 32000}, llama_3_8b{32, 4096, 14336, 32, 8, 128256},
    llama_3_70b{80, 8192, 28672, 64, 8, 128256}, llama_3_405b{126, 16384, 53248, 128, 8, 128256},
    qwen_72b{80, 8192, 29568, 64, 8, 152064}, tiny{2, 256, 512, 8, 2, 1024};

HeaderModel with_window(HeaderModel model, std::uint32_t window) {
    return model.set("attention.sliding_window", window);
}

}  // namespace

TEST_CASE("KV caches are as large as llama.cpp and the literature say") {
    CHECK(estimate(sized("llama", llama_2_7b), {.context = 4096}).kv_cache == 2048 * mebibyte);
    CHECK(estimate(sized("llama", llama_3_8b), {.context = 8192}).kv_cache == 1024 * mebibyte);
    CHECK(estimate(sized("llama", llama_3_70b), {.context = 8192}).kv_cache == 2560 * mebibyte);
    const auto of_a_token = [](const HeaderModel& model) { return estimate(model, {.context = 256}).kv_cache / 256; };
    CHECK(of_a_token(sized("llama", llama_3_405b)) == 516096);
    CHECK(of_a_token(sized("qwen2", qwen_72b)) == 327680);
    HeaderModel deepseek_v3 = sized("deepseek2", {61, 7168, 18432, 128, 1, 129280});
    deepseek_v3.set("attention.key_length", 576U)
        .set("attention.value_length", 512U)
        .set("attention.key_length_mla", 192U)
        .set("attention.value_length_mla", 128U);
    CHECK(of_a_token(deepseek_v3) == 70272);
}

TEST_CASE("the type of a cache decides how large it is") {
    const auto cache = [](TensorType k, TensorType v) {
        return estimate(sized("llama", llama_3_8b), {.context = 8192, .cache_k = k, .cache_v = v}).kv_cache / mebibyte;
    };
    CHECK(cache(TensorType::F32, TensorType::F32) == 2048);
    CHECK(cache(TensorType::BF16, TensorType::F16) == 1024);
    CHECK(cache(TensorType::Q8_0, TensorType::Q8_0) == 544);
    CHECK(cache(TensorType::Q4_0, TensorType::Q4_0) == 288);
    CHECK(cache(TensorType::Q8_0, TensorType::Q4_0) == 272 + 144);
    for (const TensorType type : cache_types()) CHECK(cache(type, type) > 0);
}

TEST_CASE("the context is rounded up to 256 tokens, without one it is that of training") {
    CHECK(estimate(sized("llama", tiny), {.context = 1}).context == 256);
    CHECK(estimate(sized("llama", tiny), {.context = 5000}).context == 5120);
    CHECK(estimate(sized("llama", tiny)).context == 8192);
}

TEST_CASE("layers that see a window keep no more than that") {
    // One of six sees everything: the sixth. The others keep the window and a batch.
    const MemoryEstimate gemma = estimate(with_window(sized("gemma3", {7, 256, 512, 8, 2, 1024}), 1024));
    const std::uint64_t cell = 2 * 64 * 2;
    for (std::size_t i = 0; i < 7; ++i) {
        CHECK(gemma.layers[i].sliding == (i != 5));
        CHECK(gemma.layers[i].kv_cache == cell * (i == 5 ? 8192 : 1024 + 512));
    }
    CHECK(estimate(with_window(sized("gemma3", tiny), 1024), {.context = 512}).kv_cache == 2 * cell * 512);
    CHECK(estimate(sized("gemma3", tiny)).kv_cache == 2 * cell * 8192);                    // no window
    CHECK(estimate(with_window(sized("llama", tiny), 1024)).kv_cache == 2 * cell * 8192);  // one that is not looked at
    CHECK(estimate(sized("llama4", {4, 256, 512, 8, 2, 1024}), {.context = 16384}).kv_cache ==
          cell * (3 * (8192 + 512) + 16384));
}

TEST_CASE("recurrent state does not grow with the context") {
    HeaderModel mamba = sized("mamba", {2, 256, 0, 0, 0, 1024});
    mamba.set("ssm.conv_kernel", 4U).set("ssm.inner_size", 512U).set("ssm.state_size", 16U);
    const MemoryEstimate of_few = estimate(mamba, {.context = 512}), of_many = estimate(mamba, {.context = 65536});
    CHECK(of_few.kv_cache == 0);
    CHECK(of_few.recurrent == 2 * 4 * (3 * 512 + 16 * 512));
    CHECK(of_many.recurrent == of_few.recurrent);
    CHECK(of_many.compute == of_few.compute);
}

TEST_CASE("an encoder keeps nothing, and needs more only for a longer batch") {
    const MemoryEstimate bert = estimate(sized("bert", tiny));
    CHECK(bert.kv_cache == 0);
    CHECK(bert.compute == estimate(sized("bert", tiny), {.context = 4096}).compute);
    CHECK(bert.compute < estimate(sized("bert", tiny), {.context = 4096, .ubatch = 1024}).compute);
}

TEST_CASE("weights are those of the file, by layer, or of a plan") {
    const Model model = opened(sized("llama", llama_3_8b, true));
    const auto whole = estimate_memory(model);
    REQUIRE(whole);
    std::uint64_t bytes = 0, elements = 0;
    for (const ModelTensor& tensor : model.tensors()) {
        bytes += tensor.info->bytes().value();
        elements += tensor.info->elements().value();
    }
    CHECK(whole->weights() == bytes);
    CHECK(whole->input_weights == 2 * 4096 * 128256);
    CHECK(whole->output_weights == 2 * 4096 * 128256 + 4 * 4096);
    CHECK(whole->output_copy == 0);
    CHECK(whole->device_elements == elements - 4096 * 128256);
    CHECK(whole->layers[0].weights == whole->layers[31].weights);

    // llama.cpp's table of file types has 4.58 GiB for this one.
    const auto plan = make_plan(model, {Mix{.file_type = find_file_type("Q4_K_M")}});
    REQUIRE(plan);
    const auto planned = estimate_memory(model, {.plan = &*plan});
    REQUIRE(planned);
    CHECK(fmt::format("{:.2f}", static_cast<double>(planned->weights()) / (1 << 30)) == "4.58");
    CHECK(planned->layers[0].weights > planned->layers[5].weights);  // more bits for the first layers
    CHECK(planned->besides_weights() == whole->besides_weights());
}

TEST_CASE("embeddings that are the output too are copied to the device with the output") {
    HeaderModel tied = sized("llama", tiny);
    tied.matrix("token_embd.weight", {256, 1024}).vector("output_norm.weight", 256);
    const MemoryEstimate memory = estimate(tied);
    CHECK(memory.output_copy == 2 * 256 * 1024);
    CHECK(memory.weights() == 2 * 256 * 1024 + 4 * 256);
    CHECK(memory.device_weights() == memory.weights());
    CHECK(memory.device_elements == 256 * 1024 + 256);
}

TEST_CASE("what a file does not say is assumed and said") {
    CHECK(estimate(sized("llama", tiny)).assumptions.empty());
    const MemoryEstimate unknown = estimate(sized("llama7", tiny));
    REQUIRE(unknown.assumptions.size() == 1);
    CHECK(unknown.assumptions[0] ==
          "the architecture llama7 is not known: every layer is taken to attend to the whole context");
    CHECK(unknown.kv_cache == estimate(sized("llama", tiny)).kv_cache);

    HeaderModel bare("llama");
    bare.set("block_count", 2U);
    const MemoryEstimate nothing = estimate(bare);
    CHECK(nothing.context == 4096);
    CHECK(nothing.kv_cache == 0);
    CHECK(nothing.assumptions.size() == 4);
}

TEST_CASE("what cannot be estimated ends in an error that says why") {
    CHECK(error_of(HeaderModel("llama")).message() == "key 'llama.block_count': NOT_FOUND the model has none");
    CHECK(error_of(HeaderModel("llama").set("block_count", 4294967295U)).code == Errc::out_of_range);
    CHECK(error_of(HeaderModel("clip").set("block_count", 2U)).code == Errc::unsupported);
    HeaderModel no_name("llama");
    no_name.header().remove("general.architecture");
    CHECK(error_of(no_name).code == Errc::not_found);
    HeaderModel few = sized("llama", tiny);
    few.set("attention.head_count_kv", std::vector<std::uint32_t>{2});
    CHECK(error_of(few).message() ==
          "key 'llama.attention.head_count_kv': OUT_OF_RANGE has 1 elements, one for a layer, "
          "and there are 2 layers");

    const auto refused = [](const MemoryOptions& options) { return error_of(sized("llama", tiny), options); };
    CHECK(refused({.cache_k = TensorType::Q4_K}).detail == "llama.cpp has no cache of Q4_K");
    CHECK(refused({.cache_v = TensorType::Q8_0, .flash_attention = false}).code == Errc::bad_argument);
    CHECK(refused({.context = ~std::uint64_t{0}}).code == Errc::size_overflow);
    CHECK(refused({.context = std::uint64_t{1} << 62}).code == Errc::size_overflow);
    const Error odd_heads = error_of(sized("llama", {2, 640, 512, 8, 2, 1024}), {.cache_k = TensorType::Q8_0});
    CHECK(odd_heads.detail == "a Q8_0 cache has blocks of 32 numbers, and the heads of this model are 80 wide");
}

// Every key that is read, with every kind of extreme value, for every kind of architecture.
TEST_CASE("hostile metadata is an error or an estimate, never more") {
    static constexpr std::string_view keys[] = {"context_length",
                                                "embedding_length",
                                                "feed_forward_length",
                                                "attention.head_count",
                                                "attention.head_count_kv",
                                                "attention.key_length",
                                                "attention.value_length",
                                                "attention.key_length_mla",
                                                "attention.value_length_mla",
                                                "attention.key_length_swa",
                                                "attention.sliding_window",
                                                "attention.sliding_window_pattern",
                                                "attention.shared_kv_layers",
                                                "nextn_predict_layers",
                                                "expert_count",
                                                "expert_used_count",
                                                "expert_feed_forward_length",
                                                "embedding_length_per_layer_input",
                                                "ssm.conv_kernel",
                                                "ssm.inner_size",
                                                "ssm.state_size",
                                                "ssm.group_count",
                                                "wkv.head_size",
                                                "token_shift_count",
                                                "shortconv.l_cache",
                                                "kda.head_dim",
                                                "full_attention_interval",
                                                "vocab_size"};
    static constexpr std::string_view architectures[] = {
        "llama", "gemma3",    "gemma3n",    "gpt-oss",   "mamba",       "rwkv7", "jamba",
        "lfm2",  "falcon-h1", "nemotron_h", "qwen3next", "kimi-linear", "bert",  "nobody"};
    const auto values = [](std::string_view architecture, std::string_view key, auto set) {
        const std::string name = fmt::format("{}.{}", architecture, key);
        set(name, Value::of_unsigned(ValueType::uint64, ~std::uint64_t{0}));
        set(name, Value::of_unsigned(ValueType::uint32, 0));
        set(name, Value::of_signed(ValueType::int64, -1));
        set(name, Value::of_string("many"));
        set(name, Value::of_array(ValueType::uint32, {}).value());
        const std::vector huge(2, Value::of_unsigned(ValueType::uint64, std::uint64_t{1} << 40));
        set(name, Value::of_array(ValueType::uint64, huge).value());
    };
    int counted = 0;
    for (const std::string_view architecture : architectures) {
        for (const std::string_view key : keys) {
            values(architecture, key, [&](const std::string& name, Value value) {
                HeaderModel model = sized(architecture, tiny);
                model.set("ssm.conv_kernel", 4U).set("ssm.inner_size", 512U).set("ssm.state_size", 16U);
                model.header().set(name, std::move(value));
                const auto estimate = estimate_memory(opened(model), {.context = 4096});
                if (estimate) {
                    ++counted;
                    const Placement placement = place_layers(*estimate, std::vector<std::uint64_t>{1 << 20, 1 << 30});
                    CHECK(placement.gpu_layers <= placement.all_layers);
                } else {
                    CHECK_MESSAGE(
                        (estimate.error().code == Errc::size_overflow || estimate.error().code == Errc::out_of_range),
                        estimate.error().message());
                }
            });
        }
    }
    CHECK(counted > 1000);
}
