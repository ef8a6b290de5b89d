// Importance for tensors that a model and its imatrix hold in other forms.
#include <doctest/doctest.h>

#include <ggufkit/requant/plan.hpp>

#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/imatrix_files.hpp"
#include "support/must.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

using Weights = std::vector<float>;
using Entries = std::vector<Imatrix::Entry>;

struct Opened {
    TemporaryFolder folder;
    Model model;
    explicit Opened(const HeaderModel& source) : model(saved(source, folder / "m.gguf")) {}
};

Imatrix adapted(const Opened& opened, Imatrix imatrix) { return std::move(imatrix).adapted(opened.model); }

Weights weights_of(const Imatrix& imatrix, std::string_view tensor) {
    const auto found = imatrix.find(tensor);
    return {found.begin(), found.end()};
}

}  // namespace

TEST_CASE("imatrix: experts that are one tensor in the model take entries of single ones") {
    const Opened merged(HeaderModel("llama")
                            .matrix("blk.0.ffn_up_exps.weight", {2, 4, 3})
                            .matrix("blk.1.ffn_up_exps.weight", {2, 4, 3}));
    const Imatrix imatrix = adapted(merged, Imatrix::of({{"blk.0.ffn_up.0.weight", {1, 2}},
                                                         {"blk.0.ffn_up.2.weight", {5, 6}},
                                                         {"blk.1.ffn_up.0.weight", {1, 2, 3}},
                                                         {"blk.7.ffn_up.0.weight", {1, 2}}})
                                                .value());
    CHECK(weights_of(imatrix, "blk.0.ffn_up_exps.weight") == Weights{1, 2, 1, 1, 5, 6});
    const Imatrix::Entry* const entry = imatrix.find_entry("blk.0.ffn_up_exps.weight");
    REQUIRE(entry != nullptr);
    CHECK(entry->unseen == std::vector<std::uint32_t>{1});
    CHECK(entry->made_from == "blk.0.ffn_up.0.weight");
    CHECK(imatrix.find_entry("blk.0.ffn_up.2.weight") == nullptr);         // is used
    CHECK(weights_of(imatrix, "blk.1.ffn_up_exps.weight").empty());        // of another size
    CHECK(weights_of(imatrix, "blk.7.ffn_up.0.weight") == Weights{1, 2});  // of a layer that there is not
}

TEST_CASE("imatrix: a tensor without data takes no entries, whatever its dimensions") {
    const Opened empty(HeaderModel("llama").matrix("blk.0.ffn_up_exps.weight", {2, 0, 65536}));
    const Imatrix imatrix = adapted(empty, Imatrix::of({{"blk.0.ffn_up.0.weight", {1, 2}}}).value());
    CHECK(imatrix.find_entry("blk.0.ffn_up_exps.weight") == nullptr);
    CHECK(imatrix.find_entry("blk.0.ffn_up.0.weight") != nullptr);
}

TEST_CASE("imatrix: experts that are apart in the model take their part of one entry") {
    const Opened apart(HeaderModel("llama")
                           .matrix("blk.0.ffn_up.0.weight", {2, 4})
                           .matrix("blk.0.ffn_up.1.weight", {2, 4})
                           .matrix("blk.0.ffn_up.2.weight", {2, 4}));
    const Imatrix imatrix =
        adapted(apart, Imatrix::parse(gguf_imatrix({{"blk.0.ffn_up_exps.weight", {1, 2, 0, 0}, {1, 0}}})).value());
    CHECK(weights_of(imatrix, "blk.0.ffn_up.0.weight") == Weights{1, 2});
    CHECK(imatrix.is_uncounted("blk.0.ffn_up.1.weight"));
    CHECK(imatrix.find("blk.0.ffn_up.1.weight").empty());
    CHECK(imatrix.find("blk.0.ffn_up.2.weight").empty());  // the entry is of two experts
    CHECK_FALSE(imatrix.is_uncounted("blk.0.ffn_up.2.weight"));
    CHECK(imatrix.find("blk.0.ffn_up_exps.weight").empty());
}

TEST_CASE("imatrix: tensors with the same input take one another's entries, but none that has a tensor of its own") {
    const Opened fused(HeaderModel("llama")
                           .matrix("blk.0.attn_qkv.weight", {2, 4})
                           .matrix("blk.0.ffn_gate_up_exps.weight", {2, 8, 2})
                           .matrix("blk.1.attn_q.weight", {2, 4})
                           .matrix("blk.1.attn_k.weight", {2, 4})
                           .matrix("blk.2.attn_q.weight", {2, 4})
                           .matrix("blk.2.attn_k.weight", {2, 4}));
    const Imatrix imatrix = adapted(fused, Imatrix::of({{"blk.0.attn_q.weight", {1, 2}},
                                                        {"blk.0.attn_k.weight", {1, 2}},
                                                        {"blk.0.ffn_gate_exps.weight", {1, 2, 3, 4}},
                                                        {"blk.1.attn_qkv.weight", {7, 8}},
                                                        {"blk.2.attn_q.weight", {7, 8}}})
                                               .value());
    CHECK(weights_of(imatrix, "blk.0.attn_qkv.weight") == Weights{1, 2});
    CHECK(weights_of(imatrix, "blk.0.ffn_gate_up_exps.weight") == Weights{1, 2, 3, 4});
    CHECK(weights_of(imatrix, "blk.1.attn_q.weight") == Weights{7, 8});
    CHECK(weights_of(imatrix, "blk.1.attn_k.weight") == Weights{7, 8});
    CHECK(weights_of(imatrix, "blk.2.attn_k.weight").empty());  // left out on purpose, perhaps
    CHECK(imatrix.entries().size() == 5);                       // every spare one is used
}
