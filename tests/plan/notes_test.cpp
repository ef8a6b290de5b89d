// notes_of(): what a user may not expect of a plan.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <ggufkit/requant/plan.hpp>
#include <map>

#include "shown.hpp"
#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/imatrix_files.hpp"
#include "support/must.hpp"
#include "support/shapes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

struct Opened {
    TemporaryFolder folder;
    Model model;
    explicit Opened(const HeaderModel& source) : model(saved(source, folder / "m.gguf")) {}

    Plan plan(std::string_view file_type, const Imatrix* imatrix = nullptr,
              std::vector<TypeOverride> overrides = {}) const {
        const Mix mix{.file_type = find_file_type(file_type), .overrides = std::move(overrides), .imatrix = imatrix};
        auto plan = make_plan(model, {mix});
        if (!plan) FAIL(plan.error().message());
        return *std::move(plan);
    }
};

// "fallback: text: a, b"
std::map<std::string, std::string> texts_of(const Plan& plan) {
    std::map<std::string, std::string> texts;
    for (const auto& [kind, text, names] : notes_of(plan)) {
        CHECK_FALSE(names.empty());
        CHECK(texts.emplace(name(kind), fmt::format("{}: {}", text, fmt::join(names, ", "))).second);
    }
    return texts;
}

}  // namespace

TEST_CASE("notes: a plan that is what one expects has none") {
    for (const char* name : {"llama-3-8b", "mixtral-8x7b", "qwen3-0.6b"}) {
        CHECK(texts_of(Opened(make_shape(name)).plan("Q4_K_M")).empty());
    }
}

TEST_CASE("notes: rows that are no multiple of a block, and what was asked for by name among them") {
    const Opened narrow(HeaderModel("llama")
                            .matrix("blk.0.attn_q.weight", {96, 4})
                            .matrix("blk.0.ffn_up.weight", {288, 4})
                            .matrix("blk.0.ffn_down.weight", {512, 4}));
    const auto texts = texts_of(narrow.plan("Q4_K_S", nullptr, {{"attn", TensorType::Q6_K}}));
    CHECK(texts.size() == 2);
    CHECK(texts.at("fallback") ==
          "2 tensors get another type than asked for (Q5_0 for Q4_K, Q8_0 for Q6_K): rows of 96, 288 are no multiple "
          "of 256: blk.0.attn_q.weight, blk.0.ffn_up.weight");
    CHECK(texts.at("forced_fallback") ==
          "1 tensor cannot have the type asked for by name (Q8_0 for Q6_K): rows of 96 are no multiple of 256: "
          "blk.0.attn_q.weight");
}

TEST_CASE("notes: an output whose rows are no multiple of a block counts") {
    const auto texts = texts_of(Opened(HeaderModel("llama").matrix("output.weight", {96, 8})).plan("Q4_K_M"));
    CHECK(texts.at("fallback") ==
          "1 tensor gets another type than asked for (Q8_0 for Q6_K): rows of 96 are no multiple of 256: "
          "output.weight");
}

TEST_CASE("notes: tensors that grow, and large ones that are never quantized") {
    const Opened model(HeaderModel("llama", TensorType::Q4_0)
                           .matrix("blk.0.attn_q.weight", {256, 256})
                           .tensor("blk.0.ffn_gate_inp.weight", {256, 64}, TensorType::F32)
                           .vector("blk.0.attn_norm.weight", 256));
    const auto texts = texts_of(model.plan("Q8_0"));
    CHECK(texts.size() == 2);
    CHECK(texts.at("grown") == "1 tensor grows and gains no precision (Q4_0 to Q8_0): blk.0.attn_q.weight");
    CHECK(texts.at("larger") ==
          "1 tensor stays larger than Q8_0 (expert router), 48 % of the output: blk.0.ffn_gate_inp.weight");
}

TEST_CASE("notes: experts that a text never reached, entries of other names, entries that fit nothing") {
    const Opened model(HeaderModel("llama")
                           .matrix("blk.0.ffn_down_exps.weight", {256, 8, 2})
                           .matrix("blk.0.ffn_up_exps.weight", {256, 8, 2}));
    std::vector<float> sums(512, 1.0f);
    auto imatrix = Imatrix::parse(gguf_imatrix({{"blk.0.ffn_down_exps.weight", sums, {0, 4}},
                                                {"blk.0.ffn_gate_exps.weight", sums, {1, 1}},
                                                {"blk.9.attn_q.weight", {1}, {1}}}))
                       .value();
    imatrix = std::move(imatrix).adapted(model.model);
    const auto texts = texts_of(model.plan("Q4_K_M", &imatrix));
    CHECK(texts.size() == 3);
    CHECK(texts.at("unseen_experts") ==
          "1 tensor has experts that the imatrix's text never reached; those experts count as if all their inputs were "
          "alike: "
          "blk.0.ffn_down_exps.weight");
    CHECK(texts.at("adapted_entries") ==
          "1 tensor takes importance from imatrix entries of other names (such as blk.0.ffn_gate_exps.weight): "
          "blk.0.ffn_up_exps.weight");
    CHECK(texts.at("unmatched_entries") == "1 entry of the imatrix fits no tensor of the model: blk.9.attn_q.weight");
}

TEST_CASE("notes: a tensor whose counts are all 0 is refused where its type needs importance") {
    const Opened model(HeaderModel("llama")
                           .matrix("blk.0.ffn_down_exps.weight", {256, 8, 2})
                           .matrix("blk.0.ffn_up_exps.weight", {256, 8, 2}));
    const auto imatrix = Imatrix::parse(gguf_imatrix({{"blk.0.ffn_down_exps.weight", std::vector<float>(512), {0, 0}},
                                                      {"blk.0.ffn_up_exps.weight", std::vector<float>(512), {1, 1}}}))
                             .value();
    const Plan plan = model.plan("IQ1_S", &imatrix);
    REQUIRE(plan.imatrix_gaps.size() == 1);
    CHECK(plan.imatrix_gaps[0].kind == ImatrixGap::Kind::uncounted);
    CHECK(plan.tensors[plan.imatrix_gaps[0].tensor].name == "blk.0.ffn_down_exps.weight");
    CHECK(plan.imatrix_gaps[0].fatal);
    CHECK_FALSE(check_executable(plan));
    CHECK(tensor(plan, "blk.0.ffn_down_exps.weight").importance.empty());
    const Plan q4 = model.plan("Q4_K_M", &imatrix);
    REQUIRE(q4.imatrix_gaps.size() == 1);
    CHECK_FALSE(q4.imatrix_gaps[0].fatal);
    CHECK(q4.imatrix_gaps[0].detail == "all counts in the imatrix are 0");
}
