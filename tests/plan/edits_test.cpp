// Edits of the metadata: keys set and removed, byte order, alignment, labels.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/plan.hpp>
#include <limits>
#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/must.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

Recipe copy(std::vector<KeyOverride> edits = {}) {
    Recipe recipe{Copy{}};
    recipe.metadata = std::move(edits);
    return recipe;
}

std::string refusal(const Model& model, const Recipe& recipe) {
    const auto plan = make_plan(model, recipe);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == Errc::bad_argument);
    CHECK(plan.error().subject.empty());
    return plan.error().detail;
}

Plan planned(const Model& model, const Recipe& recipe) {
    auto plan = make_plan(model, recipe);
    REQUIRE_MESSAGE(plan, (plan ? "" : plan.error().message()));
    return *std::move(plan);
}

// "u32 7", "str x"; "none" where the key is absent.
std::string value_of(const Plan& plan, std::string_view key) {
    const auto view = parse(plan.files.front().header);
    REQUIRE(view);
    const KeyValue* entry = view->find_key(key);
    if (entry == nullptr) return "none";
    const std::string type(name(entry->value.type()));
    if (const auto text = entry->value.as_string()) return fmt::format("{} {}", type, *text);
    if (const auto number = entry->value.as_unsigned()) return fmt::format("{} {}", type, *number);
    return type;
}

std::vector<std::string> keys_of(const Plan& plan) {
    const auto view = parse(plan.files.front().header);
    REQUIRE(view);
    std::vector<std::string> keys;
    for (const KeyValue& entry : view->metadata()) keys.emplace_back(entry.key);
    return keys;
}

std::vector<std::string> keys_of(const Model& model) {
    std::vector<std::string> keys;
    for (const KeyValue& entry : model.header().metadata()) keys.emplace_back(entry.key);
    return keys;
}

const std::string way_out = "; --set-kv KEY=TYPE:VALUE writes any type";
const std::string all_the_same = "; --set-kv KEY=TYPE:VALUE writes it all the same";

}  // namespace

TEST_CASE("edits: a copy keeps every key, its place and its type") {
    const TemporaryFolder folder;
    SmallModel source = small_llama();
    source.set("general.file_type", Value::of_unsigned(ValueType::uint8, 38));
    std::erase_if(source.metadata, [](const auto& entry) { return entry.first == "general.quantization_version"; });
    const Model model = saved(source, folder / "m.gguf");
    CHECK(keys_of(planned(model, copy())) == keys_of(model));
    CHECK(value_of(planned(model, copy()), "general.file_type") == "u8 38");
    Recipe split = copy();
    split.split = SplitLimits{.max_tensors = 4};
    auto keys = keys_of(model);
    keys.insert(keys.end(), {"split.no", "split.count", "split.tensors.count"});
    CHECK(keys_of(planned(model, split)) == keys);
}

TEST_CASE("edits: keys that runtimes read keep their type") {
    const TemporaryFolder folder;
    SmallModel source = small_llama();
    source.set("general.alignment", 32u).set("llama.attention.sliding", Value::of_bool(true));
    const Model model = saved(source, folder / "m.gguf");
    const auto refused = [&](KeyOverride edit) { return refusal(model, copy({std::move(edit)})); };
    const std::string bos = "tokenizer.ggml.bos_token_id", u32 = "u32, from 0 to 4294967295, not ";
    CHECK(refused({bos, std::string("x")}) == "key '" + bos + "' is u32, not a string" + way_out);
    CHECK(refused({bos, std::int64_t{-1}}) == "key '" + bos + "' is " + u32 + "-1" + way_out);
    CHECK(refused({bos, true}) == "key '" + bos + "' is u32, not a bool" + way_out);
    CHECK(refused({"llama.block_count", 1.5}) == "key 'llama.block_count' is u32, not a float" + way_out);
    CHECK(refused({"llama.block_count", std::int64_t{1} << 32}) ==
          "key 'llama.block_count' is " + u32 + "4294967296" + way_out);
    CHECK(refused({"llama.attention.sliding", std::int64_t{1}}).find("is bool, not an integer") != std::string::npos);
    CHECK(refused({"llama.attention.layer_norm_rms_epsilon", std::int64_t{1}}).find("is f32, not an integer") !=
          std::string::npos);
    CHECK(refused({"general.name", std::int64_t{1}}).find("is str, not an integer") != std::string::npos);
    CHECK(refused({"tokenizer.ggml.tokens", std::string("x")}).find("is an array of str, not a string") !=
          std::string::npos);
    // Keys that llama.cpp knows and the source lacks, and ids beyond the vocabulary.
    const std::string eos = "tokenizer.ggml.eos_token_id";
    CHECK(refused({eos, std::string("x")}) == "key '" + eos + "' is u32, not a string" + way_out);
    CHECK(refused({eos, std::int64_t{-1}}) == "key '" + eos + "' is " + u32 + "-1" + way_out);
    CHECK(refused({"llama.rope.freq_base", std::int64_t{10'000}}) ==
          "key 'llama.rope.freq_base' is f32, not an integer" + way_out);
    CHECK(refused({bos, std::int64_t{10}}) == "key '" + bos + "' is 10, but there are 10 tokens" + all_the_same);

    CHECK(value_of(planned(model, copy({{bos, std::int64_t{9}}})), bos) == "u32 9");
    CHECK(value_of(planned(model, copy({{"own.key", 1.5}, {"own.key", std::int64_t{-1}}})), "own.key") == "i32");
    CHECK(value_of(planned(model, copy({{"own.key", ~std::uint64_t{0}}})), "own.key") == "u64 18446744073709551615");
}

TEST_CASE("edits: a value with its type is written as it is, and noted where the key had another") {
    const TemporaryFolder folder;
    const Model model = saved(small_llama(), folder / "m.gguf");
    const Plan plan = planned(model, copy({{"llama.block_count", Value::of_float32(1.5F)},
                                           {"general.name", Value::of_string("Other")},
                                           {"own.key", Value::of_unsigned(ValueType::uint8, 3)}}));
    CHECK(value_of(plan, "llama.block_count") == "f32");
    CHECK(value_of(plan, "own.key") == "u8 3");
    CHECK(plan.metadata_notes == std::vector<std::string>{"key 'llama.block_count' was u32 and becomes f32",
                                                          "key 'llama.block_count' is f32, where a count is due"});
    CHECK(planned(model, copy({{"llama.rope.freq_base", Value::of_unsigned(ValueType::uint32, 1)}})).metadata_notes ==
          std::vector<std::string>{"key 'llama.rope.freq_base' is u32; llama.cpp wants f32"});
    // What does not go together is noted, not refused: the other key may follow.
    const Plan other = planned(model, copy({{"llama.block_count", std::int64_t{1}}}));
    CHECK(other.metadata_notes == std::vector<std::string>{"key 'llama.block_count' is 1, but there is a block 1"});
}

TEST_CASE("edits: a token by its text") {
    const TemporaryFolder folder;
    const Model model = saved(small_llama(), folder / "m.gguf");
    const std::string eos = "tokenizer.ggml.eos_token_id";
    CHECK(value_of(planned(model, copy({{eos, TokenText("</s>")}})), eos) == "u32 1");
    CHECK(value_of(planned(model, copy({{eos, TokenText("\n")}})), eos) == "u32 4");
    CHECK(refusal(model, copy({{eos, TokenText("<|im_end|>")}})) ==
          "key '" + eos + "' cannot be '<|im_end|>': none of the 10 tokens has this text");
    SmallModel bare;
    bare.set("general.architecture", "llama").tensor("v", TensorType::F32, {8});
    CHECK(refusal(saved(bare, folder / "m.gguf"), copy({{eos, TokenText("x")}})) ==
          "key '" + eos + "' cannot be a token: the model has no tokenizer.ggml.tokens");
}

TEST_CASE("edits: keys that a glob fits are removed, before others are set") {
    const TemporaryFolder folder;
    const Model model = saved(small_llama(), folder / "m.gguf");
    Recipe recipe = copy({{"tokenizer.ggml.model", std::string("none")}});
    recipe.removed_keys = {"tokenizer.*", "general.na?e", "no.such.*"};
    const Plan plan = planned(model, recipe);
    CHECK(value_of(plan, "tokenizer.ggml.model") == "str none");
    CHECK(std::ranges::count_if(keys_of(plan), [](const auto& key) { return key.starts_with("tokenizer."); }) == 1);
    CHECK(value_of(plan, "general.name") == "none");
    CHECK(value_of(plan, "general.license") == "str mit");
    CHECK(plan.metadata_notes == std::vector<std::string>{"--remove-kv 'no.such.*' fits no key"});
    // Planning believes what the output says.
    Recipe q4{Mix{Mix{.file_type = find_file_type("Q4_K_M")}}};
    q4.removed_keys = {"general.*"};
    CHECK(value_of(planned(model, q4), "general.file_type") == "none");
}

TEST_CASE("edits: an alignment that makes more padding than data, or is above 64 KiB, is refused") {
    const TemporaryFolder folder;
    const Model model = saved(small_llama(), folder / "m.gguf");
    const auto aligned = [](std::int64_t to) { return copy({{"general.alignment", to}}); };
    for (const std::int64_t to : {1 << 30, 1 << 17}) {
        CHECK(refusal(model, aligned(to)) ==
              fmt::format("key 'general.alignment' cannot be {}: 65536 is the largest alignment that can be set", to));
    }
    CHECK(refusal(model, aligned(65536)).find("bytes of padding") != std::string::npos);
    for (const int to : {24, 33, 48}) {
        CHECK(refusal(model, aligned(to)) ==
              fmt::format("key 'general.alignment' cannot be {}: an alignment is a power of two", to));
    }
    CHECK(planned(model, aligned(4096)).files.front().alignment == 4096);
    CHECK(refusal(model, copy({{"general.alignment", Value::of_unsigned(ValueType::uint32, 1 << 30)}}))
              .find("the largest alignment") != std::string::npos);
}

TEST_CASE("edits: the other byte order, and back, gives the bytes of the source") {
    const TemporaryFolder folder;
    const SmallModel source = small_llama();
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        const bool big = order == ByteOrder::big;
        const auto other = big ? ByteOrder::little : ByteOrder::big;
        const auto path = source.save(folder / "m.gguf", {.order = order});
        auto model = Model::open(path);
        REQUIRE(model);
        for (const auto& [to, same_as] : {std::pair(other, other), std::pair(order, order)}) {
            Recipe recipe = copy();
            recipe.byte_order = to;
            const Plan plan = planned(*model, recipe);
            CHECK(plan.byte_order == to);
            REQUIRE(execute(*model, plan, folder / "out.gguf", {.overwrite = true}));
            source.save(folder / "expected.gguf", {.order = same_as});
            const auto made = Model::open(folder / "out.gguf"), expected = Model::open(folder / "expected.gguf");
            REQUIRE(made);
            REQUIRE(expected);
            CHECK(made->header().byte_order() == to);
            for (const ModelTensor& tensor : expected->tensors()) {
                const auto a = made->data(*made->find_tensor(tensor.info->name)), b = expected->data(tensor);
                CHECK(std::ranges::equal(*a, *b));
            }
        }
    }
}

TEST_CASE("edits: where nothing is converted the source's label stays") {
    const TemporaryFolder folder;
    SmallModel adapter;
    adapter.set("general.architecture", "llama").set("general.type", "adapter");
    adapter.tensor("blk.0.attn_q.weight.lora_a", TensorType::F32, {256, 8});
    const Model lora = saved(adapter, folder / "m.gguf");
    const Plan plan = planned(lora, {Mix{.file_type = find_file_type("Q4_K_M")}});
    CHECK_FALSE(plan.converts());
    CHECK(keys_of(plan) == keys_of(lora));
    SmallModel f16;
    f16.set("general.architecture", "llama").set("general.file_type", 7u).tensor("a.weight", TensorType::F16, {256, 8});
    const Model model = saved(f16, folder / "m.gguf");
    CHECK(value_of(planned(model, {Mix{.file_type = find_file_type("F16")}}), "general.file_type") == "u32 7");
    CHECK(value_of(planned(model, {Mix{.file_type = find_file_type("Q8_0")}}), "general.file_type") == "u32 7");
    CHECK(value_of(planned(model, {Mix{.file_type = find_file_type("Q4_0")}}), "general.file_type") == "u32 2");
}
