// compare_values(), rank_models() and totals() against sums made in the plainest way.
#include <doctest/doctest.h>

#include <cmath>
#include <cstring>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/plan.hpp>
#include <limits>
#include <string>
#include <vector>

#include "quant/simd/target.hpp"
#include "support/files.hpp"
#include "support/plain_values.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

const std::string f16 = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string q8_0 = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";
const std::string matrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

std::vector<unsigned char> bytes_of(const std::vector<ValueDifference>& values) {
    std::vector<unsigned char> bytes;
    for (const ValueDifference& value : values) {
        const auto* const begin = reinterpret_cast<const unsigned char*>(&value.sums);
        bytes.insert(bytes.end(), begin, begin + sizeof value.sums);
    }
    return bytes;
}

SmallModel floats(std::string_view name, std::vector<std::uint64_t> ne, const std::vector<float>& values) {
    SmallModel model;
    model.tensor(name, TensorType::F32, std::move(ne));
    REQUIRE(model.tensors[0].bytes.size() == values.size() * sizeof(float));
    std::memcpy(model.tensors[0].bytes.data(), values.data(), model.tensors[0].bytes.size());
    return model;
}

}  // namespace

TEST_CASE("values: real pairs of every kind, against plain sums") {
    const TemporaryFolder folder;
    SUBCASE("F16 and Q8_0") { check_files(f16, q8_0); }
    SUBCASE("with an importance matrix") {
        const auto imatrix = Imatrix::open(matrix);
        REQUIRE(imatrix);
        check_files(f16, q8_0, &*imatrix);
    }
    SUBCASE("Q8_0 and a Q4_K_M of ours") {
        requantize(f16, "Q4_K_M", folder / "m.gguf");
        check_files(q8_0, folder / "m.gguf");
    }
    SUBCASE("F16 and shards") {
        requantize(f16, "Q2_K", folder / "m.gguf", 10);
        check_files(f16, folder / "m-00001-of-00006.gguf");
    }
}

TEST_CASE("values: both byte orders, of every type that can be decoded") {
    const TemporaryFolder folder;
    SmallModel a, b;
    for (const FormatInfo& format : formats()) {
        if (!can_dequantize(format.type())) continue;
        a.tensor(std::string(format.name), format.type(), {256, 3});
        b.tensor(std::string(format.name), format.type(), {256, 3}, 1);
    }
    const auto path_a = a.save(folder / "a.gguf");
    const Model model_a = open_model(path_a), big = open_model(b.save(folder / "big.gguf", {.order = ByteOrder::big}));
    const Model little = open_model(b.save(folder / "little.gguf"));
    const auto from_big = compare_values(model_a, big, pairs_of(model_a, big));
    const auto from_little = compare_values(model_a, little, pairs_of(model_a, little));
    REQUIRE(from_big);
    REQUIRE(from_little);
    CHECK(from_big->size() > 30);
    CHECK(bytes_of(*from_big) == bytes_of(*from_little));
}

TEST_CASE("values: the same to the bit with any number of threads, on every instruction set, also of a sample") {
    const TemporaryFolder folder;
    SmallModel a, b;
    a.tensor("long", TensorType::Q8_0, {1 << 21, 2}).tensor("odd", TensorType::F16, {3001, 7});
    b.tensor("long", TensorType::Q4_K, {1 << 21, 2}).tensor("odd", TensorType::F32, {3001, 7});
    const Model model_a = open_model(a.save(folder / "a.gguf")), model_b = open_model(b.save(folder / "b.gguf"));
    const auto pairs = pairs_of(model_a, model_b);
    const std::string best(quant::simd_target());
    for (const std::uint64_t sample : {std::uint64_t{0}, std::uint64_t{700}}) {
        const auto first = compare_values(model_a, model_b, pairs, {.work = {.threads = 1}, .sample = sample});
        REQUIRE(first);
        for (const unsigned threads : {2u, 7u}) {
            const auto again =
                compare_values(model_a, model_b, pairs, {.work = {.threads = threads}, .sample = sample});
            REQUIRE(again);
            CHECK(bytes_of(*again) == bytes_of(*first));
        }
        for (const std::string_view target : quant::simd_targets()) {
            CAPTURE(target);
            REQUIRE(quant::use_simd_target(target));
            const auto again = compare_values(model_a, model_b, pairs, {.work = {.threads = 2}, .sample = sample});
            quant::use_simd_target(best);
            REQUIRE(again);
            CHECK(bytes_of(*again) == bytes_of(*first));
        }
    }
}

TEST_CASE("values: what is not finite is counted, and in no sum") {
    const TemporaryFolder folder;
    const float nan = std::numeric_limits<float>::quiet_NaN(), inf = std::numeric_limits<float>::infinity();
    std::vector<float> x(5000, 2), y(5000, 2);
    x[3] = nan, y[7] = inf, x[4000] = y[4000] = inf;
    x[4100] = 5;
    const Model a = open_model(floats("t", {5000}, x).save(folder / "a.gguf"));
    const Model b = open_model(floats("t", {5000}, y).save(folder / "b.gguf"));
    const auto values = compare_values(a, b, pairs_of(a, b));
    REQUIRE(values);
    const ErrorSums& sums = values->front().sums;
    CHECK(sums.not_finite == 3);
    CHECK(sums.elements == 4997);
    CHECK(sums.equal == 4997);  // one infinity is the same in both
    CHECK(sums.max_at == 4100);
    CHECK(sums.e2 == 9);
    CHECK(sums.w2 == 4 * 4996 + 25);
}

TEST_CASE("values: no weights, and no difference") {
    const TemporaryFolder folder;
    SmallModel model;
    model.tensor("none", TensorType::F32, {4, 0}).tensor("some", TensorType::Q6_K, {256});
    const Model a = open_model(model.save(folder / "a.gguf"));
    const auto values = compare_values(a, a, pairs_of(a, a));
    REQUIRE(values);
    for (const ValueDifference& value : *values) {
        CHECK(value.sums.relative_rmse() == 0);
        CHECK(value.sums.equal_share() == 1);
        CHECK(value.sums.cosine() == 1);
    }
    CHECK((*values)[0].sums.elements == 0);
    CHECK((*values)[1].sums.elements == 256);
}

TEST_CASE("a sample is deterministic, of so many runs, and its interval holds the truth nine times of ten at least") {
    const TemporaryFolder folder;
    requantize(f16, "Q4_0", folder / "m.gguf");
    const Model a = open_model(f16), b = open_model(folder / "m.gguf");
    const auto pairs = pairs_of(a, b);
    const auto all = compare_values(a, b, pairs), sample = compare_values(a, b, pairs, {.sample = 12});
    REQUIRE(all);
    REQUIRE(sample);
    std::size_t held = 0, sampled = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const ValueDifference& some = (*sample)[i];
        if (!some.sampled) {
            CHECK(some.sums.e2 == (*all)[i].sums.e2);
            continue;
        }
        ++sampled;
        CHECK(some.sums.elements == 12 * 2048);
        const double truth = (*all)[i].sums.relative_rmse();
        CHECK(some.relative_rmse.low <= some.sums.relative_rmse());
        CHECK(some.relative_rmse.high >= some.sums.relative_rmse());
        CHECK(some.relative_rmse.high < 1.5 * truth);
        held += some.relative_rmse.low <= truth && truth <= some.relative_rmse.high ? 1 : 0;
    }
    CHECK(sampled >= 40);
    CHECK(held * 10 >= sampled * 9);
}

TEST_CASE("the interval of a sample, by hand") {
    const TemporaryFolder folder;
    // Four runs of 2048 weights of 10: the error of each is 1 in the first half and 3 in the second.
    std::vector<float> x(4 * 2048, 10), y(4 * 2048, 10);
    for (std::size_t n = 0; n < y.size(); ++n) y[n] += n < 4096 ? 1.f : 3.f;
    const Model a = open_model(floats("t", {4 * 2048}, x).save(folder / "a.gguf"));
    const Model b = open_model(floats("t", {4 * 2048}, y).save(folder / "b.gguf"));
    const auto values = compare_values(a, b, pairs_of(a, b), {.sample = 2});
    REQUIRE(values);
    const ValueDifference& value = values->front();
    REQUIRE(value.sampled);
    CHECK(value.sums.relative_rmse() == doctest::Approx(std::sqrt(5.0 / 100)));
    // r = 0.05; runs of 2048·1 and 2048·9 against 2048·100·r: s² = 2·(2048·4)²; n = 2 of 4.
    const double spread = 1.96 * std::sqrt((1 - 0.5) * 2 * std::pow(2048 * 4.0, 2) / 2) / (2048 * 100.0);
    CHECK(value.relative_rmse.low == doctest::Approx(std::sqrt(std::max(0.0, 0.05 - spread))));
    CHECK(value.relative_rmse.high == doctest::Approx(std::sqrt(0.05 + spread)));
}

TEST_CASE("totals add up, by part and by layer") {
    const Model a = open_model(f16), b = open_model(q8_0);
    const auto pairs = pairs_of(a, b);
    const auto values = compare_values(a, b, pairs);
    REQUIRE(values);
    const auto whole = totals(pairs, *values, Grouping::whole);
    REQUIRE(whole.size() == 1);
    double e2 = 0, layer_3 = 0, attn_q = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const std::string_view name = pairs[i].a->info->name;
        e2 += (*values)[i].sums.e2;
        layer_3 += name.starts_with("blk.3.") ? (*values)[i].sums.e2 : 0;
        attn_q += name.ends_with("attn_q.weight") ? (*values)[i].sums.e2 : 0;
    }
    check_close(whole[0].sums.e2, e2);
    const auto layers = totals(pairs, *values, Grouping::layer);
    REQUIRE(layers.size() == 6);
    CHECK(layers[3].name == "3");
    check_close(layers[3].sums.e2, layer_3);
    const auto parts = totals(pairs, *values, Grouping::part);
    const auto part = std::ranges::find(parts, "attn_q", &ValueTotal::name);
    REQUIRE(part != parts.end());
    CHECK(part->tensors == 6);
    check_close(part->sums.e2, attn_q);
}

TEST_CASE("rank: the same tensors of both, each against the base, the rest by name") {
    const TemporaryFolder folder;
    SmallModel base = small_llama(), a = base, b = base;
    a.at("blk.0.attn_v.weight").bytes[5] ^= std::byte{1};
    b.remove("blk.1.attn_q.weight");
    const Model model = open_model(base.save(folder / "m.gguf")), model_a = open_model(a.save(folder / "a.gguf")),
                model_b = open_model(b.save(folder / "b.gguf"));
    const auto ranking = rank_models(model, model_a, model_b);
    REQUIRE(ranking);
    CHECK(ranking->not_compared == std::vector<std::string>{"blk.1.attn_q.weight"});
    REQUIRE(ranking->a.size() == base.tensors.size() - 1);
    std::size_t differ = 0;
    for (std::size_t i = 0; i < ranking->a.size(); ++i) {
        CHECK(ranking->b[i].sums.e2 == 0);
        CHECK(ranking->pairs_a[i].a == ranking->pairs_b[i].a);
        if (ranking->a[i].sums.equal_share() < 1) {
            CHECK(ranking->pairs_a[i].a->info->name == "blk.0.attn_v.weight");
            ++differ;
        }
    }
    CHECK(differ == 1);
}
