// What recipes can say beside a file type: types of single tensors, copies, pruning, metadata, shards. How the types come
// out is compared with llama.cpp in golden_test.cpp; here is what it cannot tell, or does otherwise.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ggufkit/requant/plan.hpp>
#include <limits>

#include "shown.hpp"
#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/imatrix_files.hpp"
#include "support/must.hpp"
#include "support/shapes.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

Recipe recipe_for(std::string_view file_type) {
    const FileType* const found = find_file_type(file_type);
    if (found == nullptr) return {Copy{}};
    return {Mix{.file_type = found}};
}

Plan planned(const Model& model, const Recipe& recipe) {
    auto plan = make_plan(model, recipe);
    if (!plan) FAIL(plan.error().message());
    return *std::move(plan);
}

template <class Source>
Plan planned(const Source& source, const Recipe& recipe) {
    const TemporaryFolder folder;
    return planned(saved(source, folder / "model.gguf"), recipe);
}

std::string refusal(const Model& model, const Recipe& recipe) {
    const auto plan = make_plan(model, recipe);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == Errc::bad_argument);
    return plan.error().subject.empty() ? plan.error().detail
                                        : fmt::format("{}: {}", plan.error().subject, plan.error().detail);
}

// "u32 7", "str x", "arr 1,2".
std::string value_text(const Plan& plan, std::string_view key, std::size_t file = 0) {
    const auto view = parse(plan.files[file].header);
    REQUIRE(view);
    const KeyValue* entry = view->find_key(key);
    if (entry == nullptr) return "none";
    const std::string type(name(entry->value.type()));
    if (const auto text = entry->value.as_string()) return fmt::format("{} {}", type, *text);
    if (const auto flag = entry->value.as_bool()) return fmt::format("{} {}", type, *flag);
    if (const auto array = entry->value.as_array()) {
        std::vector<std::int64_t> elements;
        for (const ValueView element : *array) elements.push_back(element.as_signed().value());
        return fmt::format("{} {}", type, fmt::join(elements, ","));
    }
    if (const auto number = entry->value.as_signed()) return fmt::format("{} {}", type, *number);
    if (const auto number = entry->value.as_unsigned()) return fmt::format("{} {}", type, *number);
    return fmt::format("{} {}", type, entry->value.as_float().value());
}

Value u32s(const std::vector<std::uint32_t>& numbers) {
    std::vector<Value> values;
    for (const std::uint32_t number : numbers) values.push_back(Value::of_unsigned(ValueType::uint32, number));
    return Value::of_array(ValueType::uint32, values).value();
}

// Vectors of 64 bytes each, in blocks of their own.
SmallModel vectors(std::size_t count) {
    SmallModel model;
    model.set("general.architecture", "llama");
    for (std::size_t i = 0; i < count; ++i) model.tensor(fmt::format("blk.{}.v", i), TensorType::F32, {16});
    return model;
}

}  // namespace

TEST_CASE("recipe: the type of output and embeddings, and its reason") {
    Recipe recipe = recipe_for("Q4_K_M");
    recipe.mix()->output_type = TensorType::Q8_0;
    recipe.mix()->token_embedding_type = TensorType::IQ4_NL;
    const Plan both = planned(make_shape("one-layer"), recipe);
    CHECK(shown(both, "output.weight") == "Q8_0 (--output-tensor-type)");
    CHECK(shown(both, "token_embd.weight") == "IQ4_NL (--token-embedding-type)");
    const Plan tied = planned(make_shape("qwen3-0.6b"), recipe);
    CHECK(shown(tied, "token_embd.weight") == "IQ4_NL (--token-embedding-type)");
    recipe.mix()->token_embedding_type.reset();
    for (const bool pure : {false, true}) {  // llama.cpp forgets the wish for embeddings that serve as output if pure
        recipe.mix()->pure = pure;
        CHECK(shown(planned(make_shape("qwen3-0.6b"), recipe), "token_embd.weight") == "Q8_0 (--output-tensor-type)");
    }
    recipe.mix()->leave_output = true;
    CHECK(shown(planned(make_shape("one-layer"), recipe), "output.weight") == "F16 (copied: --leave-output-tensor)");

    // Rows of 96: llama.cpp plans Q6_K all the same.
    Recipe ragged = recipe_for("Q4_0");
    ragged.mix()->output_type = TensorType::Q6_K;
    CHECK(shown(planned(make_shape("ragged-rows"), ragged), "output.weight") ==
          "Q8_0 (fallback: ne[0] 96 is no multiple of 256)");
}

// As llama-quantize of v0.5.0 has it: --token-embedding-type goes before --tensor-type for token_embd.weight, after it for
// per_layer_token_embd.weight.
TEST_CASE("recipe: --tensor-type and the embeddings of each layer") {
    SmallModel model;
    model.set("general.architecture", "gemma3n");
    for (const char* name : {"token_embd.weight", "per_layer_token_embd.weight", "output.weight"})
        model.tensor(name, TensorType::F32, {256, 4});
    Recipe recipe = recipe_for("Q4_K_M");
    recipe.mix()->token_embedding_type = TensorType::Q8_0;
    const Plan by_flag = planned(model, recipe);
    CHECK(shown(by_flag, "token_embd.weight") == "Q8_0 (--token-embedding-type)");
    CHECK(shown(by_flag, "per_layer_token_embd.weight") == "Q8_0 (--token-embedding-type)");
    recipe.mix()->overrides = {{"token_embd", TensorType::Q5_1}};
    const Plan by_both = planned(model, recipe);
    CHECK(shown(by_both, "token_embd.weight") == "Q8_0 (--token-embedding-type)");
    CHECK(shown(by_both, "per_layer_token_embd.weight") == "Q5_1 (--tensor-type token_embd)");
}

TEST_CASE("recipe: what llama.cpp takes for a 70B model") {
    const auto value_type = [](std::string_view architecture, std::uint32_t layers) {
        HeaderModel model(architecture);
        model.set("block_count", layers).set("attention.head_count", 8U).set("attention.head_count_kv", 8U);
        for (int layer = 0; layer <= 20; ++layer) model.matrix(fmt::format("blk.{}.attn_v.weight", layer), {256, 256});
        return shown(planned(model, recipe_for("Q4_K_S")), "blk.20.attn_v.weight").substr(0, 4);
    };
    CHECK(value_type("jais2", 68) == "Q5_K");
    CHECK(value_type("jais2", 80) == "Q4_K");
    CHECK(value_type("qwen2", 80) == "Q5_K");
    CHECK(value_type("qwen2", 68) == "Q4_K");
}

TEST_CASE("recipe: patterns that change nothing are listed as they were written") {
    Recipe recipe = recipe_for("Q4_K_M");
    recipe.pruned_layers = {1};
    recipe.mix()->token_embedding_type = TensorType::Q8_0;
    using enum TensorType;
    recipe.mix()->overrides = {{"FFN_Dwn", Q6_K},                                    // a slip
                               {"ATTN_Q", Q6_K},                                     // fits
                               {"attn_q", Q5_K},                                     // the row before it decides
                               {"token_embd", Q5_K},                                 // so does another flag
                               {TensorName("blk.0.attn_q.weight"), Q5_K},            // and here
                               {TensorName("blk.1.attn_q.weight"), Q5_K, "line 3"},  // of a layer that is gone
                               {"_norm", Q8_0},                                      // stays as it is
                               {"_norm", F32},                                       // as the user wants it
                               {TensorName("output_norm.weight"), F16},
                               {"norm|attn_k", Q5_K}};  // one of them fits
    SmallModel model;
    model.set("general.architecture", "llama");
    for (const char* name :
         {"blk.0.attn_q.weight", "blk.1.attn_q.weight", "blk.0.attn_k.weight", "token_embd.weight"}) {
        model.tensor(name, F32, {256, 4});
    }
    model.tensor("output_norm.weight", F32, {256});
    const auto listed = [&] {
        std::vector<std::string> rows;
        for (const auto& [row, detail] : planned(model, recipe).unused_overrides) {
            rows.push_back(fmt::format("{}{}={}: {}", row.from, row.pattern(), format_of(row.type).name, detail));
        }
        return rows;
    };
    constexpr auto kept =
        "fits only tensors that are never quantized, such as 'output_norm.weight' (copied: one-dimensional)";
    CHECK(listed() == std::vector<std::string>{
                          "FFN_Dwn=Q6_K: fits no tensor", "line 3^blk\\.1\\.attn_q\\.weight$=Q5_K: fits no tensor",
                          fmt::format("_norm=Q8_0: {}", kept), fmt::format("^output_norm\\.weight$=F16: {}", kept)});
    recipe.mix()->overrides = {{"output.weight", Q6_K}};
    CHECK(listed() == std::vector<std::string>{"output.weight=Q6_K: fits no tensor"});
    recipe.mix()->overrides = {{"attn_q", Q6_K}};
    CHECK(listed().empty());
}

TEST_CASE("recipe: a copy keeps types and file type") {
    const TemporaryFolder folder;
    HeaderModel source = make_shape("one-layer");
    source.header().set("general.file_type", Value::of_unsigned(ValueType::uint8, 38));
    const Model model = saved(source, folder / "model.gguf");
    const Plan plan = planned(model, recipe_for("COPY"));
    CHECK(plan.file_type == nullptr);
    CHECK(value_text(plan, "general.file_type") == "u8 38");
    for (const PlannedTensor& each : plan.tensors) {
        CHECK(each.from == each.to);
        CHECK(each.reason == "copied: all tensors are");
    }
    CHECK(value_text(planned(make_shape("one-layer"), recipe_for("COPY")), "general.file_type") == "none");

    CHECK(refusal(model, {}) == "no file type was given");
}

TEST_CASE("recipe: an importance matrix in place of a model is refused, but for a copy") {
    const TemporaryFolder folder;
    write_file(folder / "m.imatrix.gguf", gguf_imatrix({{"blk.0.attn_q.weight", {1, 2}, {1}}}));
    const auto matrix = Model::open(folder / "m.imatrix.gguf");
    REQUIRE(matrix);
    CHECK(refusal(*matrix, recipe_for("Q4_K_M")).find("an importance matrix") != std::string::npos);
    CHECK(make_plan(*matrix, recipe_for("COPY")));
}

TEST_CASE("recipe: pruned blocks are gone, the others move up with all that is said of them") {
    HeaderModel source = make_shape("seven-layers");
    source.set("attention.head_count_kv", std::vector<std::uint32_t>{0, 1, 2, 3, 4, 5, 6})
        .set("leading_dense_block_count", 3U)
        .set("nextn_predict_layers", 2U)
        .set("attention.shared_kv_layers", 9U);
    source.header().set("llama.rope.dimension_sections", u32s({0, 1, 2, 3, 4, 5, 6}));
    source.header().set("llama.strings", Value::of_strings(std::vector<std::string>{"a", "b"}));
    source.header().set("other.list", u32s({0, 1, 2, 3, 4, 5, 6}));
    source.vector("enc.blk.5.x", 4).vector("enc.blk.6.x", 4).vector("xblk.6.x", 4).vector("blk.6x.x", 4);
    Recipe recipe = recipe_for("Q8_0");
    recipe.pruned_layers = {6, 1, 2, 6};
    const TemporaryFolder folder;
    const Model model = saved(source, folder / "model.gguf");
    const Plan plan = planned(model, recipe);
    const auto source_of = [&](std::string_view name) { return model.tensors()[tensor(plan, name).source].info->name; };
    CHECK(source_of("blk.0.attn_q.weight") == "blk.0.attn_q.weight");
    CHECK(source_of("blk.1.attn_q.weight") == "blk.3.attn_q.weight");
    CHECK(source_of("blk.3.attn_q.weight") == "blk.5.attn_q.weight");
    CHECK(source_of("enc.blk.3.x") == "enc.blk.5.x");
    CHECK(source_of("xblk.6.x") == "xblk.6.x");
    CHECK(source_of("blk.6x.x") == "blk.6x.x");
    CHECK(plan.tensors.size() == model.tensors().size() - 3 * 9 - 1);
    CHECK(value_text(plan, "llama.block_count") == "u32 4");
    CHECK(value_text(plan, "llama.attention.head_count_kv") == "arr 0,3,4,5");
    CHECK(value_text(plan, "llama.leading_dense_block_count") == "u32 1");
    CHECK(value_text(plan, "llama.nextn_predict_layers") == "u32 1");
    CHECK(value_text(plan, "llama.attention.shared_kv_layers") == "u32 6");
    CHECK(value_text(plan, "llama.rope.dimension_sections") == "arr 0,1,2,3,4,5,6");
    CHECK(value_text(plan, "other.list") == "arr 0,1,2,3,4,5,6");

    recipe.pruned_layers = {7};
    CHECK(refusal(model, recipe) == "layers to prune: there is no layer 7: the model has 7, counted from 0");
    recipe.pruned_layers = {0, 1, 2, 3, 4, 5, 6};
    CHECK(refusal(model, recipe) == "layers to prune: no layer would be left");
}

TEST_CASE("recipe: an imatrix is of the source's blocks, whatever their numbers become") {
    const TemporaryFolder folder;
    const Model model = saved(make_shape("seven-layers"), folder / "model.gguf");
    std::vector<Imatrix::Entry> entries;
    for (const auto& [info, shard] : model.tensors()) {
        entries.push_back({std::string(info->name), std::vector<float>(info->ne[0], 1.0F)});
    }
    const Imatrix imatrix = Imatrix::of(std::move(entries)).value();
    Recipe recipe = recipe_for("Q4_0");
    recipe.mix()->imatrix = &imatrix;
    recipe.pruned_layers = {0, 4};
    const Plan plan = planned(model, recipe);
    CHECK(plan.imatrix_gaps.empty());
    CHECK(tensor(plan, "blk.0.attn_q.weight").importance.data() == imatrix.find("blk.1.attn_q.weight").data());
    CHECK(tensor(plan, "blk.4.ffn_up.weight").importance.data() == imatrix.find("blk.6.ffn_up.weight").data());
}

TEST_CASE("recipe: only some entries of an imatrix") {
    const auto made = [] {
        return Imatrix::of({{"a.x", {1}}, {"a.y", {1}}, {"b.x", {1}}}, {"file", "text", 3}).value();
    };
    const auto names = [](const Imatrix& imatrix) {
        std::string all;
        for (const auto& entry : imatrix.entries()) all += entry.tensor + " ";
        CHECK(imatrix.origin().chunks == 3);
        return all;
    };
    const std::vector<std::string> a{"a."}, either{"a.x", "b"}, none{"c"};
    CHECK(names(made().including(a)) == "a.x a.y ");
    CHECK(names(made().including(either)) == "a.x b.x ");
    CHECK(names(made().including(none)).empty());
    CHECK(names(made().excluding(a)) == "b.x ");
    CHECK(names(made().excluding(either)) == "a.y ");
    CHECK(names(made().excluding(none)) == "a.x a.y b.x ");
}

TEST_CASE("recipe: overridden values have the type that the key had, or one that holds them") {
    HeaderModel source = make_shape("one-layer");
    source.header().set("n.u8", Value::of_unsigned(ValueType::uint8, 1));
    source.header().set("n.i16", Value::of_signed(ValueType::int16, 1));
    source.header().set("n.u64", Value::of_unsigned(ValueType::uint64, 1));
    source.header().set("n.f64", Value::of_float64(1));
    source.header().set("n.str", Value::of_string("1"));
    constexpr auto least = std::numeric_limits<std::int64_t>::min(), most = std::numeric_limits<std::int64_t>::max();
    struct Case {
        std::string_view what;
        KeyOverride override;
        std::string_view expected;
    };
    const std::vector<Case> cases{
        {"u8", {"n.u8", std::int64_t{255}}, "u8 255"},
        {"u8 too small", {"n.u8", std::int64_t{256}}, "u32 256"},
        {"signed", {"n.i16", std::int64_t{-7}}, "i16 -7"},
        {"kept wide", {"n.u64", std::int64_t{7}}, "u64 7"},
        {"new", {"n.new", std::int64_t{4294967295}}, "u32 4294967295"},
        {"new, negative", {"n.new", std::int64_t{-7}}, "i32 -7"},
        {"new, large", {"n.new", std::int64_t{4294967296}}, "u64 4294967296"},
        {"new, largest", {"n.new", most}, "u64 9223372036854775807"},
        {"new, least", {"n.new", least}, "i64 -9223372036854775808"},
        {"of another kind", {"n.str", std::int64_t{7}}, "u32 7"},
        {"float", {"n.new", 0.5}, "f32 0.5"},
        {"double", {"n.f64", 0.5}, "f64 0.5"},
        {"large", {"n.new", 1e300}, "f64 1e+300"},
        {"bool", {"n.u8", true}, "bool true"},
        {"text", {"n.u8", std::string("x y")}, "str x y"},
        {"the file type too", {"general.file_type", std::int64_t{3}}, "u32 3"},
    };
    const TemporaryFolder folder;
    const Model model = saved(source, folder / "model.gguf");
    for (const auto& [what, override, expected] : cases) {
        CAPTURE(what);
        Recipe recipe = recipe_for("Q8_0");
        recipe.metadata = {override};
        CHECK(value_text(planned(model, recipe), override.key) == expected);
    }
    Recipe twice = recipe_for("Q8_0");
    twice.metadata = {{"n.new", std::string("first")}, {"n.new", std::string("last")}};
    CHECK(value_text(planned(model, twice), "n.new") == "str last");
    twice.metadata = {{"split.count", std::int64_t{3}}};
    CHECK(refusal(model, twice) ==
          "key 'split.count': tells the place of a file among others, and cannot be overridden");

    // The layout goes by what the file says in the end.
    Recipe aligned = recipe_for("Q8_0");
    aligned.metadata = {{"general.alignment", std::int64_t{4096}}};
    const Plan plan = planned(model, aligned);
    CHECK(std::ranges::all_of(plan.tensors, [](const PlannedTensor& t) { return t.offset % 4096 == 0; }));
}

TEST_CASE("recipe: planning believes the architecture that an override gives") {
    Recipe recipe = recipe_for("Q3_K_M");
    const HeaderModel source = make_shape("llama-2-7b");
    CHECK(shown(planned(source, recipe), "output.weight") == "Q6_K (recipe: output)");
    recipe.metadata = {{"general.architecture", std::string("falcon")}};
    CHECK(shown(planned(source, recipe), "output.weight") == "Q8_0 (recipe: output, falcon)");
}

TEST_CASE("recipe: shards end before a tensor that would exceed a limit") {
    const TemporaryFolder folder;
    const Model model = saved(vectors(10), folder / "model.gguf");
    const auto counts = [&](std::uint64_t max_bytes, std::uint64_t max_tensors) {
        Recipe recipe = recipe_for("COPY");
        recipe.split = SplitLimits{.max_bytes = max_bytes, .max_tensors = max_tensors};
        const Plan plan = planned(model, recipe);
        std::vector<std::size_t> tensors(plan.files.size());
        for (const PlannedTensor& each : plan.tensors) {
            CHECK(each.offset == plan.files[each.file].offsets[tensors[each.file]]);
            ++tensors[each.file];
        }
        CHECK(plan.bytes_out() > 10 * 64);
        return tensors;
    };
    using Counts = std::vector<std::size_t>;
    CHECK(counts(0, 0) == Counts{10});
    CHECK(counts(640, 10) == Counts{10});
    CHECK(counts(639, 0) == Counts{9, 1});
    CHECK(counts(0, 4) == Counts{4, 4, 2});
    CHECK(counts(200, 0) == Counts{3, 3, 3, 1});
    CHECK(counts(200, 2) == Counts{2, 2, 2, 2, 2});
    CHECK(counts(1, 0) == Counts(10, 1));  // each is larger than that
}

TEST_CASE("recipe: every shard says its place, the first has the metadata, and all the alignment") {
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        HeaderModel source = make_shape("one-layer");
        source.header().byte_order = order;
        source.header().set("general.alignment", Value::of_unsigned(ValueType::uint32, 128));
        Recipe recipe = recipe_for("Q8_0");
        recipe.split = SplitLimits{.max_tensors = 5};
        const Plan plan = planned(source, recipe);
        REQUIRE(plan.files.size() == 3);
        for (std::size_t i = 0; i < 3; ++i) {
            CAPTURE(i);
            CHECK(value_text(plan, "split.no", i) == fmt::format("u16 {}", i));
            CHECK(value_text(plan, "split.count", i) == "u16 3");
            CHECK(value_text(plan, "split.tensors.count", i) == "i32 12");
            CHECK(value_text(plan, "general.alignment", i) == "u32 128");
            CHECK(value_text(plan, "general.architecture", i) == (i == 0 ? "str llama" : "none"));
            CHECK(parse(plan.files[i].header)->byte_order() == order);
            CHECK(plan.files[i].alignment == 128);
        }
    }
}

TEST_CASE("recipe: the shards of the source are kept, though pruning empties one") {
    const TemporaryFolder folder;
    const auto first = vectors(6).save_split(folder / "m", 3);  // blocks 0 and 3, 1 and 4, 2 and 5
    auto model = Model::open(first);
    REQUIRE(model);
    Recipe recipe = recipe_for("COPY");
    recipe.split = SplitAsSource{};
    recipe.pruned_layers = {1, 4};
    const Plan plan = planned(*model, recipe);
    REQUIRE(plan.files.size() == 3);
    std::string places;
    for (const PlannedTensor& each : plan.tensors) places += fmt::format("{}:{} ", each.name, each.file);
    CHECK(places == "blk.0.v:0 blk.2.v:0 blk.1.v:2 blk.3.v:2 ");
    CHECK(value_text(plan, "split.tensors.count", 1) == "i32 4");
}

TEST_CASE("recipe: 65,535 files can be numbered, no more") {
    const TemporaryFolder folder;
    HeaderModel source("llama");
    for (int i = 0; i < 65'536; ++i) source.vector(fmt::format("v{}", i), 1);
    const Model model = saved(source, folder / "model.gguf");
    Recipe recipe = recipe_for("COPY");
    recipe.split = SplitLimits{.max_tensors = 1};
    CHECK(refusal(model, recipe) == "output: would be 65536 files; 65535 can be numbered");
    recipe.split = SplitLimits{.max_bytes = 64};
    CHECK(planned(model, recipe).files.size() == 32'768);
}
