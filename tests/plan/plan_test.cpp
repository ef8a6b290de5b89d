// What a plan says beside the types of the recipes: overrides, fallbacks, reasons, layout, header.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/plan.hpp>
#include <limits>

#include "shown.hpp"
#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/imatrix_files.hpp"
#include "support/must.hpp"
#include "support/shapes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

Recipe recipe(std::string_view file_type, std::vector<TypeOverride> overrides = {}) {
    const FileType* const found = find_file_type(file_type);
    REQUIRE(found != nullptr);
    return {Mix{.file_type = found, .overrides = std::move(overrides)}};
}

// A header model on disk, for as long as a test needs it.
class Planned {
  public:
    explicit Planned(const HeaderModel& source) : model_(saved(source, folder_ / "model.gguf")) {}

    const Model& model() const { return model_; }
    Result<Plan> attempt(const Recipe& recipe) const { return make_plan(model_, recipe); }
    Plan plan(const Recipe& recipe) const {
        auto plan = make_plan(model_, recipe);
        if (!plan) FAIL(plan.error().message());
        return *std::move(plan);
    }

  private:
    TemporaryFolder folder_;
    Model model_;
};

}  // namespace

TEST_CASE("plan: every tensor has its reason") {
    const Plan q4 = Planned(make_shape("mixtral-8x7b")).plan(recipe("Q4_K_M"));
    CHECK(shown(q4, "output.weight") == "Q6_K (recipe: output)");
    CHECK(shown(q4, "token_embd.weight") == "Q4_K (recipe: the default type)");
    CHECK(shown(q4, "blk.0.attn_v.weight") == "Q8_0 (recipe: attn_v, 8 experts)");
    CHECK(shown(q4, "blk.0.ffn_down_exps.weight") == "Q6_K (recipe: ffn_down, a layer with more bits)");
    CHECK(shown(q4, "blk.4.ffn_down_exps.weight") == "Q4_K (recipe: the default type)");
    CHECK(shown(q4, "blk.4.attn_norm.weight") == "F32 (copied: one-dimensional)");
    CHECK(shown(q4, "blk.4.ffn_gate_inp.weight") == "F32 (copied: expert router)");

    const Plan tied = Planned(make_shape("qwen3-0.6b")).plan(recipe("Q4_0"));
    CHECK(shown(tied, "token_embd.weight") == "Q6_K (recipe: token_embd, which is the output too)");

    const Plan fused = Planned(make_shape("falcon-40b")).plan(recipe("Q4_K_M"));
    CHECK(shown(fused, "output.weight") == "Q8_0 (recipe: output, falcon)");
    CHECK(shown(fused, "blk.0.attn_qkv.weight") == "Q6_K (recipe: attn_qkv, a layer with more bits)");
    CHECK(shown(fused, "blk.0.ffn_down.weight") == "Q6_K (recipe: ffn_down, falcon, first sixteenth of the layers)");

    const Plan same = Planned(make_shape("mixtral-8x7b", TensorType::Q8_0)).plan(recipe("Q4_K_M"));
    CHECK(shown(same, "blk.0.attn_v.weight") == "Q8_0 (copied: already Q8_0)");
}

TEST_CASE("plan: tensors that are no weight matrices keep their type, and the recipe does not count them") {
    const Plan plan = Planned(make_shape("odd-names")).plan(recipe("Q4_K_M"));
    CHECK(shown(plan, "blk.2.attn_v.bias") == "F16 (copied: not a weight)");
    CHECK(shown(plan, "blk.1.flat.weight") == "F16 (copied: one-dimensional)");
    CHECK(shown(plan, "blk.0.altup_x.weight") == "F16 (copied: small and sensitive)");
    CHECK(shown(plan, "position_embd.weight") == "F16 (copied: position embeddings)");

    HeaderModel with_integers = make_shape("one-layer");
    with_integers.tensor("blk.0.table.weight", {256, 4}, TensorType::I32);
    CHECK(shown(Planned(with_integers).plan(recipe("Q8_0")), "blk.0.table.weight") == "I32 (copied: integers)");
}

TEST_CASE("plan: rows that are not whole blocks fall back") {
    // Rows of 96 and 100 values: whole blocks of 32, and of nothing but single values.
    const Planned ragged(make_shape("ragged-rows"));
    struct Expected {
        std::string_view file_type, thirty_twos, singles;
    };
    for (const auto& [file_type, thirty_twos, singles] :
         {Expected{"Q4_K_S", "Q5_0 (fallback: ne[0] 96 is no multiple of 256)", "F16 (copied: already F16)"},
          Expected{"IQ4_XS", "IQ4_NL (fallback: ne[0] 96 is no multiple of 256)", "F16 (copied: already F16)"},
          Expected{"TQ1_0", "Q4_0 (fallback: ne[0] 96 is no multiple of 256)", "F16 (copied: already F16)"},
          Expected{"Q1_0", "Q4_0 (fallback: ne[0] 96 is no multiple of 128)", "F16 (copied: already F16)"},
          Expected{"NVFP4", "MXFP4 (fallback: ne[0] 96 is no multiple of 64)", "F16 (copied: already F16)"},
          Expected{"Q4_0", "Q4_0 (recipe: the default type)", "F16 (copied: already F16)"}}) {
        CAPTURE(file_type);
        const Plan plan = ragged.plan(recipe(file_type));
        CHECK(shown(plan, "blk.5.attn_q.weight") == thirty_twos);
        CHECK(shown(plan, "blk.5.ffn_down.weight") == singles);
    }
    const Plan from_f32 = Planned(make_shape("ragged-rows", TensorType::F32)).plan(recipe("Q8_0"));
    CHECK(shown(from_f32, "blk.5.ffn_down.weight") == "F16 (fallback: ne[0] 100 is no multiple of 32)");
}

TEST_CASE("plan: --tensor-type goes before the recipe, and the recipe counts on without those tensors") {
    const Planned model(make_shape("llama-3-8b"));
    const Plan plan = model.plan(recipe("Q4_K_M", {{"BLK\\.(0|1)\\.attn_v", TensorType::Q5_K},
                                                   {"attn_v", TensorType::Q8_0},
                                                   {"^output", TensorType::F16},
                                                   {"norm", TensorType::Q4_0},
                                                   {"blk.7.ffn", TensorType::BF16}}));
    CHECK(shown(plan, "blk.0.attn_v.weight") == "Q5_K (--tensor-type BLK\\.(0|1)\\.attn_v)");
    CHECK(shown(plan, "blk.10.attn_v.weight") == "Q8_0 (--tensor-type attn_v)");
    CHECK(shown(plan, "output.weight") == "F16 (copied: already F16)");
    CHECK(shown(plan, "output_norm.weight") == "F32 (copied: one-dimensional)");
    CHECK(shown(plan, "blk.7.ffn_down.weight") == "BF16 (--tensor-type blk.7.ffn)");
    // Blocks 9 and 10 have the ninth and tenth ffn_down that the recipe decides: the tenth gets more bits.
    CHECK(shown(plan, "blk.9.ffn_down.weight") == "Q4_K (recipe: the default type)");
    CHECK(shown(plan, "blk.10.ffn_down.weight") == "Q6_K (recipe: ffn_down, a layer with more bits)");

    CHECK(shown(model.plan(recipe("F16", {{"ffn_up", TensorType::Q8_0}})), "blk.3.ffn_up.weight") ==
          "Q8_0 (--tensor-type ffn_up)");
    CHECK(shown(model.plan(recipe("F16", {{"ffn_up", TensorType::Q8_0, "m.recipe, line 3"}})), "blk.3.ffn_up.weight") ==
          "Q8_0 (m.recipe, line 3)");

    const Plan fallback = Planned(make_shape("ragged-rows")).plan(recipe("Q8_0", {{"attn_q", TensorType::Q6_K}}));
    CHECK(shown(fallback, "blk.0.attn_q.weight") == "Q8_0 (fallback: ne[0] 96 is no multiple of 256)");
}

TEST_CASE("plan: --pure is the default type everywhere, but for --tensor-type and fallbacks") {
    Recipe pure = recipe("Q4_K_M", {{"attn_k", TensorType::Q3_K}});
    pure.mix()->pure = true;
    const Plan plan = Planned(make_shape("qwen2-0.5b")).plan(pure);
    CHECK(shown(plan, "token_embd.weight") == "Q5_0 (fallback: ne[0] 896 is no multiple of 256)");
    CHECK(shown(plan, "blk.0.ffn_down.weight") == "Q4_K (pure: the default type)");
    CHECK(shown(plan, "blk.0.attn_k.weight") == "Q4_0 (fallback: ne[0] 896 is no multiple of 256)");
    pure.mix()->file_type = find_file_type("MXFP4_MOE");
    CHECK(shown(Planned(make_shape("mixtral-8x7b")).plan(pure), "output.weight") == "MXFP4 (pure: the default type)");
}

TEST_CASE("plan: bad regular expressions are errors that quote them") {
    const Planned model(make_shape("one-layer"));
    for (const std::string& pattern :
         {std::string("attn_(v"), std::string("["), std::string("*"), std::string("\\"), std::string(100'000, '(')}) {
        const auto refused = model.attempt(recipe("Q8_0", {{pattern, TensorType::Q4_0}}));
        REQUIRE_FALSE(refused);
        CHECK(refused.error().code == Errc::bad_argument);
        CHECK(refused.error().subject == "--tensor-type '" + pattern + "'");
        const auto in_file = model.attempt(recipe("Q8_0", {{pattern, TensorType::Q4_0, "m.recipe, line 3"}}));
        REQUIRE_FALSE(in_file);
        CHECK(in_file.error().subject == "m.recipe, line 3: '" + pattern + "'");
    }
    const auto nothing = model.attempt({});
    REQUIRE_FALSE(nothing);
    CHECK(nothing.error().code == Errc::bad_argument);
}

TEST_CASE("plan: tensors lie in the reference's order, aligned, and fill the file") {
    for (const std::uint32_t alignment : {32U, 64U, 4096U}) {
        HeaderModel source = make_shape("nemotron_h");
        source.header().set("general.alignment", Value::of_unsigned(ValueType::uint32, alignment));
        std::ranges::reverse(source.header().tensors);
        const Planned model(source);
        const Plan plan = model.plan(recipe("Q4_K_M"));
        CHECK(plan.files[0].alignment == alignment);
        CHECK(plan.files[0].data_offset % alignment == 0);
        CHECK(plan.files[0].header.size() == plan.files[0].data_offset);

        std::uint64_t at = plan.files[0].data_offset;
        std::uint64_t bytes_in = 0;
        double bits = 0;
        double weights = 0;
        for (const PlannedTensor& planned : plan.tensors) {
            CAPTURE(planned.name);
            CHECK(planned.offset == at);
            CHECK(planned.bytes_out == tensor_bytes(format_of(planned.to), planned.ne));
            const TensorInfo& from = *model.model().tensors()[planned.source].info;
            CHECK(from.name == planned.name);
            CHECK(planned.bytes_in == from.bytes());
            CHECK(planned.ne == from.ne);
            at += (planned.bytes_out + alignment - 1) / alignment * alignment;
            bytes_in += planned.bytes_in;
            bits += static_cast<double>(planned.bytes_out) * 8;
            weights += static_cast<double>(planned.ne[0] * planned.rows());
        }
        CHECK(plan.bytes_out() == at);
        CHECK(plan.bytes_in() == bytes_in);
        CHECK(plan.bpw() == doctest::Approx(bits / weights));
    }
    const Plan plan = Planned(make_shape("many-layers")).plan(recipe("Q8_0"));
    const auto position = [&](std::string_view name) { return &tensor(plan, name) - plan.tensors.data(); };
    CHECK(position("output.weight") == 0);
    CHECK(position("token_embd.weight") == 2);
    CHECK(position("blk.0.attn_k.weight") == 3);
    CHECK(position("blk.9.ffn_up.weight") + 1 == position("blk.10.attn_k.weight"));
    CHECK(position("blk.130.ffn_up.weight") + 1 == static_cast<std::ptrdiff_t>(plan.tensors.size()));
}

TEST_CASE("plan: the header carries the source's metadata, and says what the file has become") {
    HeaderModel source = make_shape("one-layer");
    source.header().set("general.file_type", Value::of_unsigned(ValueType::uint32, 1));
    source.header().set("split.no", Value::of_unsigned(ValueType::uint16, 0));
    source.header().set("split.count", Value::of_unsigned(ValueType::uint16, 1));
    source.header().set("split.tensors.count", Value::of_signed(ValueType::int32, 12));
    source.header().set("custom.tags", Value::of_strings(std::vector<std::string>{"a", "", "ü"}));
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        source.header().byte_order = order;
        const Planned model(source);
        const Plan plan = model.plan(recipe("Q5_K_M"));
        CHECK(plan.byte_order == order);
        const auto header = parse(plan.files[0].header);
        REQUIRE(header);
        CHECK(header->byte_order() == order);
        CHECK(header->version() == 3);

        std::vector<std::string> expected;
        for (const KeyValue& entry : model.model().header().metadata())
            if (entry.key != "general.file_type" && !entry.key.starts_with("split.")) expected.emplace_back(entry.key);
        expected.insert(expected.end(), {"general.quantization_version", "general.file_type"});
        std::vector<std::string> keys;
        for (const KeyValue& entry : header->metadata()) keys.emplace_back(entry.key);
        CHECK(keys == expected);
        CHECK(header->get_unsigned("general.quantization_version") == 2);
        CHECK(header->get_unsigned("general.file_type") == 17);
        CHECK(header->find_key("general.file_type")->value.type() == ValueType::uint32);
        CHECK(header->find_key("custom.tags")->value == model.model().header().find_key("custom.tags")->value);

        REQUIRE(header->tensors().size() == plan.tensors.size());
        for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
            const TensorInfo& info = header->tensors()[i];
            CHECK(info.name == plan.tensors[i].name);
            CHECK(info.format->type() == plan.tensors[i].to);
            CHECK(header->data_offset() + info.offset == plan.tensors[i].offset);
        }
    }
}

TEST_CASE("plan: a split model is planned as the whole that it is") {
    HeaderModel whole = make_shape("seven-layers");
    const Plan expected = Planned(whole).plan(recipe("Q4_K_M"));

    const TemporaryFolder folder;
    const auto& tensors = whole.header().tensors;
    constexpr std::uint16_t count = 2;
    for (std::uint16_t no = 0; no < count; ++no) {
        HeaderModel shard = no == 0 ? whole : HeaderModel("llama");
        Header& header = shard.header();
        header.set("split.no", Value::of_unsigned(ValueType::uint16, no));
        header.set("split.count", Value::of_unsigned(ValueType::uint16, count));
        header.set("split.tensors.count", Value::of_unsigned(ValueType::int32, tensors.size()));
        header.tensors.clear();
        for (std::size_t i = no; i < tensors.size(); i += count) header.tensors.push_back(tensors[i]);
        shard.save(folder / fmt::format("m-{:05}-of-{:05}.gguf", no + 1, count));
    }
    const auto model = Model::open(folder / "m-00001-of-00002.gguf");
    if (!model) FAIL(model.error().message());
    const auto plan = make_plan(*model, recipe("Q4_K_M"));
    REQUIRE(plan);
    CHECK(plan->files[0].header == expected.files[0].header);
    CHECK(plan->bytes_in() == expected.bytes_in());
    for (const PlannedTensor& planned : plan->tensors)
        CHECK(model->tensors()[planned.source].info->name == planned.name);
}

TEST_CASE("plan: the same model and recipe give the same plan, whatever the order of the tensors") {
    HeaderModel source = make_shape("deepseek2-lite");
    const Plan first = Planned(source).plan(recipe("Q4_K_M"));
    std::ranges::reverse(source.header().tensors);
    const Plan second = Planned(source).plan(recipe("Q4_K_M"));
    CHECK(first.files[0].header == second.files[0].header);
    CHECK(std::ranges::equal(first.tensors, second.tensors, {}, &PlannedTensor::reason, &PlannedTensor::reason));
}

TEST_CASE("plan: models without hyperparameters, or with absurd ones, are planned all the same") {
    const auto bare = [] {
        HeaderModel model("", TensorType::F16);
        for (int i = 0; i < 16; ++i) {
            model.matrix(fmt::format("blk.{}.attn_v.weight", i), {256, 256});
            model.matrix(fmt::format("blk.{}.ffn_down.weight", i), {256, 256});
        }
        return model;
    };
    HeaderModel anonymous = bare();
    anonymous.header().remove("general.architecture");
    const Plan plan = Planned(anonymous).plan(recipe("Q4_K_M"));
    // The blocks that the tensors name stand in for block_count.
    CHECK(shown(plan, "blk.1.ffn_down.weight") == "Q6_K (recipe: ffn_down, a layer with more bits)");
    CHECK(shown(plan, "blk.2.ffn_down.weight") == "Q4_K (recipe: the default type)");
    CHECK(shown(plan, "blk.14.ffn_down.weight") == "Q6_K (recipe: ffn_down, a layer with more bits)");

    const std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
    for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{1}, huge, huge / 8, huge - 1}) {
        for (const auto* key : {"block_count", "attention.head_count", "attention.head_count_kv", "expert_count"}) {
            HeaderModel absurd = bare();
            absurd.header().set("general.architecture", Value::of_string("llama"));
            absurd.header().set(fmt::format("llama.{}", key), Value::of_unsigned(ValueType::uint64, number));
            const Planned model(absurd);
            for (const FileType& file_type : file_types()) CHECK(model.attempt(recipe(file_type.name)));
        }
    }
    HeaderModel wrong_types = bare();
    wrong_types.header().set("general.architecture", Value::of_unsigned(ValueType::uint32, 7));
    CHECK(Planned(wrong_types).attempt(recipe("Q4_K_M")));
    HeaderModel strange = make_shape("llama-3-8b");
    strange.header().set("llama.block_count", Value::of_string("many"));
    strange.header().set("llama.attention.head_count_kv", Value::of_array(ValueType::uint32, {}).value());
    strange.header().set("llama.expert_count", Value::of_signed(ValueType::int32, -8));
    CHECK(Planned(strange).attempt(recipe("Q4_K_M")));
    CHECK(Planned(HeaderModel("llama")).attempt(recipe("Q4_K_M")));  // no tensors at all
}

TEST_CASE("plan: image encoders are planned as any other model") {
    const Plan plan = Planned(make_shape("mmproj")).plan(recipe("Q8_0"));
    CHECK(shown(plan, "v.blk.3.attn_v.weight") == "Q8_0 (recipe: the default type)");
    CHECK(shown(plan, "v.patch_embd.weight") == "F16 (copied: image encoder)");
    CHECK(shown(plan, "mm.0.weight") == "Q8_0 (recipe: the default type)");
}

TEST_CASE("plan: NVFP4, which llama.cpp numbers but does not make, has the mix of its kind") {
    const Plan plan = Planned(make_shape("llama-3-8b")).plan(recipe("NVFP4"));
    CHECK(shown(plan, "output.weight") == "Q6_K (recipe: output)");
    CHECK(shown(plan, "blk.3.ffn_down.weight") == "NVFP4 (recipe: the default type)");
}

TEST_CASE("plan: what cannot be carried out here can be shown, and says so when asked") {
    const Planned model(make_shape("llama-3-8b"));
    const Imatrix ones = imatrix_of_ones(model.model());
    CHECK(check_executable(model.plan(recipe("Q8_0"))));
    for (const FileType& file_type : file_types()) {
        CAPTURE(file_type.name);
        Recipe wanted = recipe(file_type.name);
        wanted.mix()->imatrix = &ones;
        const Plan plan = model.plan(wanted);
        const auto missing =
            std::ranges::find_if(plan.tensors, [](const auto& t) { return t.from != t.to && !can_quantize(t.to); });
        const auto executable = check_executable(plan);
        CHECK(executable.has_value() == (missing == plan.tensors.end()));
        if (executable) continue;
        CHECK(executable.error().code == Errc::unsupported);
        CHECK(executable.error().subject == "tensor '" + missing->name + "'");
        CHECK(executable.error().detail ==
              fmt::format("there is no quantizer for {} here", format_of(missing->to).name));
    }

    // Q2_K can do without an imatrix, but in the file type Q2_K_S it may not.
    REQUIRE(can_quantize(TensorType::Q2_K));
    CHECK(check_executable(model.plan(recipe("Q2_K"))));
    const auto refused = check_executable(model.plan(recipe("Q2_K_S")));
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::unsupported);
    CHECK(refused.error().detail ==
          "Q2_K needs an imatrix in the file type Q2_K_S; 187 more tensors cannot be made either");
    Recipe with_imatrix = recipe("Q2_K_S");
    with_imatrix.mix()->imatrix = &ones;
    CHECK(check_executable(model.plan(with_imatrix)));
}

TEST_CASE("plan: every quantized tensor gets its importance, of every expert") {
    const Planned model(make_shape("mixtral-8x7b"));
    const Imatrix ones = imatrix_of_ones(model.model());
    Recipe wanted = recipe("Q4_K_M");
    wanted.mix()->imatrix = &ones;
    const Plan plan = model.plan(wanted);
    CHECK(plan.imatrix == &ones);
    CHECK(plan.imatrix_gaps.empty());
    std::size_t experts = 0;
    for (const PlannedTensor& t : plan.tensors) {
        CAPTURE(t.name);
        const bool quantized = t.from != t.to;
        CHECK(t.importance.size() == (quantized ? t.ne[0] * t.ne[2] : 0));
        CHECK(t.importance.data() == (quantized ? ones.find(t.name).data() : nullptr));
        if (quantized && t.ne[2] > 1) ++experts;
    }
    CHECK(experts > 0);
}

TEST_CASE("plan: everything that an imatrix lacks is found, and only what cannot do without is refused") {
    const Planned model(make_shape("llama-3-8b"));
    std::vector<Imatrix::Entry> entries;
    for (const auto& [info, shard] : model.model().tensors()) {
        if (info->name == "output.weight" || info->name == "blk.3.attn_q.weight") continue;
        const bool wrong = info->name == "token_embd.weight" || info->name == "blk.5.attn_k.weight";
        entries.push_back({std::string(info->name), std::vector<float>(wrong ? 7 : info->ne[0], 1.0f)});
    }
    const Imatrix imatrix = Imatrix::of(std::move(entries)).value();
    const auto gaps = [&](std::string_view file_type, bool allowed) {
        Recipe wanted = recipe(file_type);
        wanted.mix()->imatrix = &imatrix;
        wanted.mix()->imatrix_gaps_allowed = allowed;
        const Plan plan = model.plan(wanted);
        std::string text;
        for (const auto& [index, fatal, detail, kind] : plan.imatrix_gaps) {
            CHECK(plan.tensors[index].importance.empty());
            text += fmt::format("{}: {}{}\n", plan.tensors[index].name, fatal ? "FATAL " : "", detail);
        }
        const bool any_fatal = std::ranges::any_of(plan.imatrix_gaps, &ImatrixGap::fatal);
        CHECK(check_executable(plan).has_value() == !any_fatal);
        return text;
    };
    const std::string output = "output.weight: no entry in the imatrix\n";
    const std::string embeddings = "token_embd.weight: 7 weights in the imatrix, not 4096\n";
    const std::string keys = "7 weights in the imatrix, not 1024\n";
    CHECK(gaps("Q4_K_M", false) == output + embeddings + "blk.3.attn_q.weight: no entry in the imatrix\n" +
                                       "blk.5.attn_k.weight: FATAL 7 weights in the imatrix, not 4096\n");
    CHECK(gaps("Q2_K_S", false) ==
          output + embeddings +
              "blk.3.attn_q.weight: FATAL Q2_K needs an imatrix in the file type Q2_K_S, which has no entry for it\n" +
              "blk.5.attn_k.weight: FATAL 7 weights in the imatrix, not 4096\n");
    CHECK(gaps("Q2_K_S", true) ==
          output + embeddings +
              "blk.3.attn_q.weight: Q2_K needs an imatrix in the file type Q2_K_S, which has no entry for it\n" +
              "blk.5.attn_k.weight: 7 weights in the imatrix, not 4096\n");
    CHECK(gaps("F16", false) == "");

    Recipe without = recipe("Q2_K_S");
    without.mix()->imatrix_gaps_allowed = true;
    const Plan plan = model.plan(without);
    CHECK(plan.imatrix_gaps.size() > 100);
    CHECK(check_executable(plan));
}

TEST_CASE("plan: an imatrix of another model is refused") {
    const Planned model(make_shape("one-layer"));
    const Imatrix other = Imatrix::of({{"blk.99.attn_q.weight", {1}}, {"v.blk.0.attn_q.weight", {1}}}).value();
    Recipe wanted = recipe("Q4_0");
    wanted.mix()->imatrix = &other;
    const auto refused = model.attempt(wanted);
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::bad_argument);
    CHECK(refused.error().detail ==
          "is of another model: this one has no tensor 'blk.99.attn_q.weight', nor any other that it is about");
    wanted.mix()->imatrix_gaps_allowed = true;
    CHECK(model.attempt(wanted));
}

TEST_CASE("plan: an imatrix leaves llama-quantize's keys at the end of the metadata") {
    const Planned model(make_shape("one-layer"));
    const auto keys = [&](Imatrix::Origin origin) {
        const Imatrix imatrix = Imatrix::of({{"output.weight", {1}}, {"b", {1}}}, std::move(origin)).value();
        Recipe wanted = recipe("Q4_0");
        wanted.mix()->imatrix = &imatrix;
        const Plan plan = model.plan(wanted);
        const auto view = parse(plan.files[0].header).value();
        std::vector<std::string> found;
        for (const KeyValue& entry : view.metadata()) {
            if (!entry.key.starts_with("quantize.")) {
                CHECK(found.empty());
                continue;
            }
            const auto text = entry.value.as_string();
            CHECK((text || entry.value.type() == ValueType::uint32));
            found.push_back(fmt::format("{}={}", entry.key.substr(17),
                                        text ? std::string(*text) : std::to_string(*entry.value.as_unsigned())));
        }
        return found;
    };
    using Keys = std::vector<std::string>;
    CHECK(keys({"dir/m.imatrix", "text.txt", 12}) ==
          Keys{"file=dir/m.imatrix", "dataset=text.txt", "entries_count=2", "chunks_count=12"});
    CHECK(keys({}) == Keys{"entries_count=2"});
    // 127 bytes at most, whole characters.
    const std::string x126(126, 'x');
    CHECK(keys({x126 + "yz", "", 0}).front() == "file=" + x126 + "y");
    CHECK(keys({x126 + "\xc3\xa9", "", 0}).front() == "file=" + x126);
    CHECK(keys({"latin-\xe9", "", 0}).front() == "file=latin-\\xe9");
}

TEST_CASE("plan: one output file has the output's name, several have a number each") {
    Plan plan;
    plan.files.resize(1);
    using Paths = std::vector<std::filesystem::path>;
    CHECK(output_paths(plan, "dir/m.gguf") == Paths{"dir/m.gguf"});
    plan.files.resize(2);
    CHECK(output_paths(plan, "dir/m.gguf") == Paths{"dir/m-00001-of-00002.gguf", "dir/m-00002-of-00002.gguf"});
    CHECK(output_paths(plan, "m.v1").front() == "m.v1-00001-of-00002.gguf");
    CHECK(output_paths(plan, "/.gguf").front() == "/.gguf-00001-of-00002.gguf");
    plan.files.resize(123456);
    CHECK(output_paths(plan, "m.gguf").back() == "m-123456-of-123456.gguf");
}
