// lib/container/llama_keys.cpp beside the real llama.cpp: models that are nothing but metadata, in which every key that
// the table has is of a wrong type. llama.cpp names the first that it reads and the type that it wants; with that one put
// right it names the next.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <ggufkit/validate.hpp>
#include <map>

#include "container/llama_keys.hpp"
#include "reference/oracle.hpp"
#include "support/files.hpp"
#include "support/header_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using container::LlamaKey;

namespace {

Value value_of(ValueType type, std::uint32_t number) {
    if (type == ValueType::string) return Value::of_string("none");
    if (type == ValueType::boolean) return Value::of_bool(number != 0);
    if (type == ValueType::float32) return Value::of_float32(static_cast<float>(number));
    if (type == ValueType::int32) return Value::of_signed(type, number);
    return Value::of_unsigned(type, number);
}

// What llama.cpp says as it loads a model of these keys.
std::string complaint(const HeaderModel& model) {
    const TemporaryFolder folder;
    model.save(folder / "model.gguf");
    return run_command({*reference_dir() + "/llama-memory", folder / "model.gguf", "ctx=256"}).err;
}

// The text between two others; empty where they are not there.
std::string between(const std::string& text, std::string_view before, std::string_view after) {
    const std::size_t at = text.find(before);
    if (at == std::string::npos) return "";
    const std::size_t begin = at + before.size();
    return text.substr(begin, text.find(after, begin) - begin);
}

struct Asked {
    std::string key, type;
};

Asked asked_for(const std::string& text) {
    return {between(text, "hyperparameters: key ", " has wrong type"), between(text, "but expected type ", "\n")};
}

// Sizes that divide one another, so that no other fault comes first.
std::uint32_t number_for(std::string_view key) {
    static const std::map<std::string_view, std::uint32_t> numbers{
        {"expert_count", 4},          {"expert_used_count", 2},       {"context_length", 64},
        {"embedding_length", 256},    {"attention.head_count", 8},    {"attention.head_count_kv", 4},
        {"block_count", 4},           {"feed_forward_length", 512},   {"rope.dimension_count", 32},
        {"attention.key_length", 32}, {"attention.value_length", 32}, {"ssm.inner_size", 512},
        {"ssm.state_size", 16},       {"ssm.conv_kernel", 4},         {"ssm.time_step_rank", 16},
        {"ssm.group_count", 2}};
    const auto found = numbers.find(key);
    return found == numbers.end() ? 1 : found->second;
}

}  // namespace

TEST_CASE("llama.cpp wants the types that the table says, key by key") {
    REQUIRE_REFERENCE();
    for (const std::string_view architecture : {"llama", "bert", "gemma3", "mamba", "rwkv7"}) {
        CAPTURE(architecture);
        HeaderModel model(architecture);
        model.header().set("tokenizer.ggml.model", Value::of_string("no_vocab"));
        const std::string prefix = fmt::format("{}.", architecture);
        std::map<std::string, const LlamaKey*> rows;
        for (const LlamaKey& row : container::llama_keys()) {
            if (!row.key.starts_with('.') || !row.is_read_by(architecture)) continue;
            const std::string key(row.key.substr(1));
            rows.emplace(key, &row);
            model.header().set(prefix + key, Value::of_unsigned(ValueType::uint8, 1));
        }
        std::size_t proven = 0;
        for (std::size_t i = 0; i <= 2 * rows.size(); ++i) {
            const auto [key, type] = asked_for(complaint(model));
            if (key.empty()) break;
            REQUIRE_MESSAGE(key.starts_with(prefix), key);
            const std::string own = key.substr(prefix.size());
            REQUIRE_MESSAGE(rows.contains(own), key);
            const LlamaKey& row = *rows.at(own);
            const bool list = row.arrays == container::Arrays::only;
            CHECK_MESSAGE(type == (list ? "arr" : name(row.type)), key);
            const Value value = value_of(row.type, number_for(own));
            model.header().set(
                key, list ? Value::of_array(row.type, std::array{value, value, value, value}).value() : value);
            ++proven;
        }
        CHECK(proven >= 20);
    }
}

TEST_CASE("--check refuses a type of a key where llama.cpp does") {
    REQUIRE_REFERENCE();
    const auto with = [](std::string_view key, const Value& value) {
        HeaderModel model("llama");
        model.header().set("tokenizer.ggml.model", Value::of_string("no_vocab"));
        for (const char* name : {"block_count", "context_length", "embedding_length", "feed_forward_length",
                                 "attention.head_count", "attention.head_count_kv", "vocab_size"})
            model.set(name, number_for(name));
        model.set("attention.layer_norm_rms_epsilon", 1e-5F);
        model.header().set(fmt::format("llama.{}", key), value);
        return model;
    };
    for (const std::string_view key :
         {"block_count", "attention.head_count_kv", "rope.freq_base", "attention.causal"}) {
        for (const ValueType type : {ValueType::uint8, ValueType::int8, ValueType::uint16, ValueType::int16,
                                     ValueType::uint32, ValueType::int32, ValueType::uint64, ValueType::int64,
                                     ValueType::float32, ValueType::float64, ValueType::boolean, ValueType::string}) {
            const std::uint32_t number = number_for(key);
            const Value value = type == ValueType::float64 ? Value::of_float64(number)
                                : type == ValueType::int8 || type == ValueType::int16 || type == ValueType::int64
                                    ? Value::of_signed(type, number)
                                    : value_of(type, number);
            const HeaderModel model = with(key, value);
            CAPTURE(key);
            CAPTURE(name(type));
            const bool refused = complaint(model).find("has wrong type") != std::string::npos;
            const auto layout = make_layout(model.header());
            REQUIRE(layout);
            const auto view = parse(layout->header);
            REQUIRE(view);
            const Report report = validate(*view, {.profile = Profile::llama});
            CHECK(std::ranges::any_of(report.diagnostics,
                                      [](const Diagnostic& d) { return d.error.rule == "GGUF-R057"; }) == refused);
        }
    }
}
