// Keys that files have had since 2026: recommended sampling, suppressed tokens, normalizers, activated adapters.
#include <doctest/doctest.h>

#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

Value ids(std::initializer_list<std::int32_t> numbers) {
    std::vector<Value> values;
    for (const std::int32_t number : numbers) values.push_back(Value::of_signed(ValueType::int32, number));
    return Value::of_array(ValueType::int32, values).value();
}

std::string shown(const HeaderModel& model, const std::vector<std::string>& flags) {
    const TemporaryFolder folder;
    model.save(folder / "m.gguf");
    std::vector<std::string> arguments{folder / "m.gguf"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const CommandResult result = run_tool("gguf-info", arguments);
    CHECK(result.exit_code == 0);
    return result.text();
}

bool has(const std::string& text, std::string_view line) {
    INFO(text);
    return text.find(line) != std::string::npos;
}

}  // namespace

TEST_CASE("the summary has the sampling that the makers recommend") {
    HeaderModel model("llama");
    model.header().set("general.sampling.temp", Value::of_float32(0.5F));
    model.header().set("general.sampling.top_k", Value::of_signed(ValueType::int32, 20));
    CHECK(has(shown(model, {}), "temp 0.5, top_k 20"));
    CHECK(!has(shown(HeaderModel("llama"), {}), "sampling"));
}

TEST_CASE("the summary says what activates an adapter") {
    HeaderModel model("llama");
    model.header().set("general.type", Value::of_string("adapter"));
    model.header().set("adapter.type", Value::of_string("lora"));
    CHECK(has(shown(model, {}), "a LoRA adapter, not a model"));
    model.header().set("adapter.alora.invocation_tokens", ids({5, 6, 7}));
    CHECK(has(shown(model, {}), "a LoRA adapter, activated by 3 tokens (aLoRA), not a model"));
}

TEST_CASE("--tokenizer has suppressed tokens and switches") {
    HeaderModel model("llama");
    const std::vector<std::string> tokens{"<s>", "</s>", "yes", "no"};
    model.header().set("tokenizer.ggml.model", Value::of_string("gpt2"));
    model.header().set("tokenizer.ggml.tokens", Value::of_strings(tokens));
    model.header().set("tokenizer.ggml.suppress_tokens", ids({1, 3, 99}));
    model.header().set("tokenizer.ggml.normalizer.lowercase", Value::of_bool(true));
    model.header().set("tokenizer.ggml.add_bos_token", Value::of_bool(false));
    const std::string text = shown(model, {"--tokenizer"});
    CHECK(has(text, "3 tokens: \"</s>\", \"no\", no such token"));
    CHECK(has(text, "normalizer.lowercase"));
    CHECK(has(text, "add_bos_token"));
}

TEST_CASE("the summary has what is particular about recent architectures") {
    HeaderModel sparse("deepseek32");
    sparse.set("attention.indexer.top_k", 2048U).set("attention.indexer.head_count", 64U);
    CHECK(has(shown(sparse, {}), "picks 2,048 tokens to attend to; 64 heads"));
    CHECK(has(shown(HeaderModel("kimi-k3").set("kda.head_dim", 128U), {}), "heads of 128"));
    HeaderModel ngrams("qwen4exp");
    ngrams.set("ple.ngram_size", 3U).set("ple.layers", std::vector<std::uint32_t>{1, 5});
    CHECK(has(shown(ngrams, {}), "of up to 3 tokens in 2 layers"));
}
