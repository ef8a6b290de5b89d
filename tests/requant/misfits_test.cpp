// find_misfits(): every tensor whose values are too large for its type, before anything is written.
#include <doctest/doctest.h>

#include <cstring>
#include <ggufkit/requant/execute.hpp>
#include <limits>

#include "support/files.hpp"
#include "support/must.hpp"
#include "support/plan_for.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using enum TensorType;

namespace {

void put(SmallModel& model, std::size_t tensor, std::size_t element, float value) {
    std::memcpy(model.tensors[tensor].bytes.data() + element * sizeof value, &value, sizeof value);
}

struct Opened {
    TemporaryFolder folder;
    std::string path = folder / "in.gguf";
    Model model;
    explicit Opened(const SmallModel& source) : model(saved(source, path)) {}
};

}  // namespace

TEST_CASE("misfits: all of them are found, with the first bad row and the largest value") {
    SmallModel source = bare_llama();
    for (const char* name : {"fits", "two", "copied", "large-but-fits", "experts", "f32"}) {
        source.weights(name, F32, {256, 300, std::string_view(name) == "experts" ? 3u : 1u});
    }
    put(source, 1, 256 * 17 + 3, -4e9f);
    put(source, 1, 256 * 250, 9e9f);
    put(source, 2, 5, 1e30f);
    put(source, 3, 7, 60000);
    put(source, 4, 256 * (2 * 300 + 8), 3e38f);
    put(source, 5, 0, 3e38f);
    const Opened opened(source);
    const Plan plan = plan_for(
        opened.model, {{"fits", Q4_K}, {"two", Q8_0}, {"large-but-fits", Q8_0}, {"experts", Q4_0}, {"f32", F32}});
    for (const unsigned threads : {1u, 4u}) {
        const auto misfits = must(find_misfits(opened.model, plan, {.threads = threads}));
        REQUIRE(misfits.size() == 2);
        CHECK(plan.tensors[misfits[0].tensor].name == "two");
        CHECK(misfits[0].row == 17);
        CHECK(misfits[0].greatest == 9e9f);
        CHECK(plan.tensors[misfits[1].tensor].name == "experts");
        CHECK(misfits[1].row == 2 * 300 + 8);
        CHECK(misfits[1].greatest == 3e38f);
    }
    CHECK(must(find_misfits(opened.model, plan_for(opened.model))).empty());
}

TEST_CASE("misfits: NVFP4 ends at 2688") {
    SmallModel source = bare_llama();
    source.weights("at", F32, {64, 4}).weights("above", F32, {64, 4});
    put(source, 0, 70, -2688);
    put(source, 1, 70, 2689);
    const Opened opened(source);
    const Plan plan = plan_for(opened.model, {{"at", NVFP4}, {"above", NVFP4}});
    const auto misfits = must(find_misfits(opened.model, plan));
    REQUIRE(misfits.size() == 1);
    CHECK(plan.tensors[misfits[0].tensor].name == "above");
    CHECK(misfits[0].row == 1);
    const auto refused = execute(opened.model, plan, opened.folder / "out.gguf");
    REQUIRE_FALSE(refused);
    CHECK(refused.error().detail == "row 1: values too large: value 6 of its row is 2689; NVFP4 ends at 2688");
}

TEST_CASE("misfits: a source that is broken is an error") {
    SmallModel source = bare_llama();
    source.weights("t", F32, {256, 4});
    put(source, 0, 300, std::numeric_limits<float>::quiet_NaN());
    const Opened opened(source);
    const auto misfits = find_misfits(opened.model, plan_for(opened.model, {{"t", Q4_K}}));
    REQUIRE_FALSE(misfits);
    CHECK(misfits.error().code == Errc::bad_quant);
}
