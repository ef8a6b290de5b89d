// Factors in NAME.scale, which count in the values of NAME.weight.
#include <doctest/doctest.h>

#include <cstring>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <string>
#include <vector>

#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

void add_floats(SmallModel& model, std::string_view name, std::vector<std::uint64_t> ne,
                const std::vector<float>& values) {
    model.tensor(name, TensorType::F32, std::move(ne));
    auto& bytes = model.tensors.back().bytes;
    REQUIRE(bytes.size() == values.size() * sizeof(float));
    std::memcpy(bytes.data(), values.data(), bytes.size());
}

// Weights in NVFP4 with factors of their own, and the same as floats.
struct Twins {
    SmallModel floats, packed;
    Twins(std::vector<std::uint64_t> ne, std::vector<float> factors) {
        packed.tensor("blk.0.ffn_up.weight", TensorType::NVFP4, ne);
        std::vector<float> values(packed.tensors[0].bytes.size() / 36 * 64);
        REQUIRE(dequantize_rows(TensorType::NVFP4, packed.tensors[0].bytes, values));
        const std::size_t matrix = values.size() / factors.size();
        for (std::size_t i = 0; i < values.size(); ++i) values[i] *= factors[i / matrix];
        add_floats(floats, "blk.0.ffn_up.weight", std::move(ne), values);
        add_floats(packed, "blk.0.ffn_up.scale", {factors.size()}, factors);
    }
};

Model opened(const std::filesystem::path& path) {
    auto model = Model::open(path);
    REQUIRE_MESSAGE(model, (model ? "" : model.error().message()));
    return std::move(*model);
}

struct Both {
    TemporaryFolder folder;
    Model a, b;
    Both(const SmallModel& in_a, const SmallModel& in_b, const SmallModel::Container& container = {})
        : a(opened(in_a.save(folder / "a.gguf", container))), b(opened(in_b.save(folder / "b.gguf"))) {}

    ValueDifference values(std::string_view name, std::uint64_t sample = 0) const {
        const TensorPair pairs[]{{a.find_tensor(name), b.find_tensor(name)}};
        const auto values = compare_values(a, b, pairs, {.work = {.threads = 2}, .sample = sample});
        REQUIRE(values);
        return values->front();
    }
};

}  // namespace

TEST_CASE("scale: matrices without weights have no factors, however many they are") {
    SmallModel model;
    model.tensor("blk.0.attn_q.weight", TensorType::F32, {0, 1, std::uint64_t{1} << 40});
    add_floats(model, "blk.0.attn_q.scale", {1}, {2});
    const Both both(model, model);
    CHECK_FALSE(is_scale(both.a, *both.a.find_tensor("blk.0.attn_q.scale")));
    CHECK(compare_models(both.a, both.b));
}

TEST_CASE("scale: weights count with their factor, in both directions, whole or as a sample") {
    for (const bool experts : {false, true}) {
        const Twins twins = experts ? Twins({128, 40, 3}, {1.7e-3f, 5, -2}) : Twins({128, 200}, {1.7e-3f});
        for (const auto order : {ByteOrder::little, ByteOrder::big}) {
            const Both to_packed(twins.floats, twins.packed, {.order = order});
            const Both to_floats(twins.packed, twins.floats, {.order = order});
            for (const std::uint64_t sample : {0u, 3u}) {
                CHECK(to_packed.values("blk.0.ffn_up.weight", sample).sums.equal_share() == 1);
                CHECK(to_floats.values("blk.0.ffn_up.weight", sample).sums.e2 == 0);
            }
        }
    }
}

TEST_CASE("scale: a tensor of another size, or without weights beside it, is no factor") {
    Twins twins({128, 40, 3}, {1, 2, 3});
    twins.packed.tensor("blk.0.ffn_gate_inp.weight", TensorType::F32, {128, 4});
    add_floats(twins.packed, "blk.0.ffn_gate_inp.scale", {128}, std::vector<float>(128, 2));
    add_floats(twins.packed, "lone.scale", {1}, {2});
    const Both both(twins.packed, twins.floats);
    const auto is_factor = [&](std::string_view name) { return is_scale(both.a, *both.a.find_tensor(name)); };
    CHECK(is_factor("blk.0.ffn_up.scale"));
    CHECK_FALSE(is_factor("blk.0.ffn_gate_inp.scale"));
    CHECK_FALSE(is_factor("lone.scale"));
    CHECK_FALSE(is_factor("blk.0.ffn_up.weight"));
}

TEST_CASE("scale: other factors are a difference of the weights") {
    const Twins twins({128, 40}, {2});
    Twins other = twins;
    const float factor = 3;
    std::memcpy(other.packed.at("blk.0.ffn_up.scale").bytes.data(), &factor, sizeof factor);
    const Both both(twins.packed, other.packed);
    const auto diff = compare_models(both.a, both.b);
    REQUIRE(diff);
    REQUIRE(diff->tensors.size() == 2);
    CHECK(diff->tensors[0].name == "blk.0.ffn_up.weight");
    CHECK(diff->tensors[0].rescaled);
    CHECK_FALSE(diff->tensors[0].bytes_differ);
    CHECK_FALSE(diff->tensors[0].scale);
    CHECK(diff->tensors[1].scale);
    CHECK(both.values("blk.0.ffn_up.weight").sums.relative_rmse() == doctest::Approx(0.5));
    CHECK(both.values("blk.0.ffn_up.weight").sums.gain() == doctest::Approx(1.5));

    const auto same = compare_models(both.a, both.a);
    REQUIRE(same);
    CHECK(same->same());
}

TEST_CASE("scale: in a ranking, factors are neither missing nor too many") {
    const Twins twins({128, 40}, {2});
    const Both both(twins.floats, twins.packed);
    const auto up = rank_models(both.a, both.b, both.b, {});
    REQUIRE(up);
    CHECK(up->not_in_base.empty());
    CHECK(up->not_compared.empty());
    REQUIRE(up->a.size() == 1);
    CHECK(up->a[0].sums.equal_share() == 1);
    const auto down = rank_models(both.b, both.a, both.a, {});
    REQUIRE(down);
    CHECK(down->not_in_base.empty());
    CHECK(down->not_compared.empty());
    CHECK(down->a.size() == 1);
}

TEST_CASE("values: of a pair that is known to be the same, only A is read, and the sums are those of both") {
    const SmallModel model = small_llama();
    const Both both(model, model);
    const std::string_view name = "blk.0.attn_q.weight";
    const TensorPair known[]{{both.a.find_tensor(name), nullptr, true}};
    const auto values = compare_values(both.a, both.b, known);
    REQUIRE(values);
    const ErrorSums sums = both.values(name).sums, same = values->front().sums;
    CHECK(same.w2 == sums.w2);
    CHECK(same.wv == sums.wv);
    CHECK(same.equal == sums.equal);
    CHECK(same.elements == sums.elements);
    CHECK(same.e2 == 0);
}
