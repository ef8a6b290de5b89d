// The numbers of a quality report, against sums that are made plainly.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <ggufkit/requant/execute.hpp>
#include <numeric>
#include <random>
#include <thread>

#include "plan/place.hpp"
#include "quant/simd/target.hpp"
#include "requant/quality.hpp"
#include "support/files.hpp"
#include "support/must.hpp"
#include "support/plan_for.hpp"
#include "support/random_blocks.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using enum TensorType;

namespace {

struct Rows {
    std::size_t ne0;
    std::vector<float> values{};
    std::vector<float> importance{};
    std::vector<std::byte> blocks{};
    std::vector<float> decoded{};
};

Rows make_rows(TensorType type, std::size_t ne0, std::size_t rows, bool weighed) {
    Rows made{.ne0 = ne0};
    Random random(ne0 + rows);
    for (std::size_t i = 0; i < ne0 * rows; ++i) made.values.push_back((random.unit() + random.unit() - 1) / 8);
    for (std::size_t i = 0; weighed && i < ne0; ++i) made.importance.push_back(random.unit() * 9);
    made.blocks.resize(must(row_bytes(format_of(type), ne0)) * rows);
    made.decoded.resize(made.values.size());
    REQUIRE(quantize_rows(type, made.values, ne0, made.blocks, made.importance));
    REQUIRE(dequantize_rows(type, made.blocks, made.decoded));
    return made;
}

bool equal(const ErrorSums& a, const ErrorSums& b) {
    const auto all = [](const ErrorSums& s) {
        return std::tuple(s.elements, s.w2, s.v2, s.wv, s.e2, s.e, s.iw2, s.ie2, s.max_error, s.max_at);
    };
    return all(a) == all(b);
}

// One weight after the other, in the widest type there is.
void check_against_plain_sums(const Rows& rows, const ErrorSums& sums) {
    long double w2 = 0, v2 = 0, wv = 0, e2 = 0, e1 = 0, iw2 = 0, ie2 = 0, greatest = 0;
    std::size_t at = 0;
    for (std::size_t i = 0; i < rows.values.size(); ++i) {
        const long double w = rows.values[i], v = rows.decoded[i], e = v - w;
        const long double importance = rows.importance.empty() ? 0 : rows.importance[i % rows.ne0];
        w2 += w * w, v2 += v * v, wv += w * v, e2 += e * e, e1 += e;
        iw2 += importance * w * w, ie2 += importance * e * e;
        if (std::abs(e) > greatest) greatest = std::abs(e), at = i;
    }
    const auto about = [](long double number) { return doctest::Approx(static_cast<double>(number)).epsilon(1e-9); };
    const auto n = static_cast<long double>(rows.values.size());
    CHECK(sums.elements == rows.values.size());
    CHECK(sums.max_error == static_cast<double>(greatest));
    CHECK(sums.max_at == at);
    CHECK(sums.relative_rmse() == about(std::sqrt(e2 / w2)));
    CHECK(sums.sqnr_db() == about(10 * std::log10(w2 / e2)));
    CHECK(sums.cosine() == about(wv / std::sqrt(w2 * v2)));
    CHECK(sums.gain() == about(wv / w2));
    CHECK(std::abs(sums.bias() - static_cast<double>(e1 / n / std::sqrt(w2 / n))) < 1e-12);
    REQUIRE(sums.weighted_relative_rmse().has_value() == !rows.importance.empty());
    if (!rows.importance.empty()) CHECK(*sums.weighted_relative_rmse() == about(std::sqrt(ie2 / iw2)));
}

}  // namespace

TEST_CASE("quality: what a piece lost is what plain sums over its weights say") {
    // Rows shorter than a chunk, longer than one, and of no whole number of lanes.
    for (const auto& [type, ne0, rows] :
         {std::tuple{Q4_K, 256, 5}, {Q4_K, 5120, 3}, {Q8_0, 96, 7}, {F16, 7, 3}, {IQ4_NL, 2048, 1}, {F16, 2051, 2}}) {
        for (const bool weighed : {false, true}) {
            CAPTURE(format_of(type).name);
            CAPTURE(ne0);
            const Rows made = make_rows(type, static_cast<std::size_t>(ne0), static_cast<std::size_t>(rows), weighed);
            const auto sums = requant::measure(made.values, made.ne0, type, made.blocks, made.importance);
            REQUIRE(sums);
            check_against_plain_sums(made, *sums);
        }
    }
}

TEST_CASE("quality: nothing lost is zero and infinity, not a division by zero, all lost is one") {
    const std::vector<float> values{0.5f, -2, 0, 8}, zeros(4);
    const auto bytes = [](const std::vector<float>& floats) { return std::as_bytes(std::span(floats)); };
    const auto same = must(requant::measure(values, 4, F32, bytes(values), {}));
    CHECK(same.relative_rmse() == 0);
    CHECK(std::isinf(same.sqnr_db()));
    CHECK(same.cosine() == 1);
    CHECK(same.bias() == 0);
    CHECK(same.gain() == 1);
    CHECK_FALSE(same.weighted_relative_rmse());
    CHECK(same.max_error == 0);

    const auto nothing = must(requant::measure(zeros, 4, F32, bytes(zeros), {}));
    CHECK(nothing.relative_rmse() == 0);
    CHECK(nothing.cosine() == 1);
    CHECK(nothing.bias() == 0);
    CHECK(nothing.gain() == 1);

    const auto lost = must(requant::measure(values, 4, F32, bytes(zeros), {}));
    CHECK(lost.relative_rmse() == 1);
    CHECK(lost.sqnr_db() == 0);
    CHECK(lost.cosine() == 0);
    CHECK(lost.gain() == 0);
    CHECK(lost.max_error == 8);
    CHECK(lost.max_at == 3);
    CHECK(ErrorSums().relative_rmse() == 0);
}

TEST_CASE("quality: pieces may come in any order and from any thread, the sums are the same to the last bit") {
    constexpr std::size_t pieces = 97;
    std::vector<ErrorSums> parts;
    ErrorSums expected;
    for (std::size_t i = 0; i < pieces; ++i) {
        const Rows made = make_rows(Q4_0, 64, 1 + i % 5, i % 2 == 0);
        parts.push_back(must(requant::measure(made.values, made.ne0, Q4_0, made.blocks, made.importance)));
        parts.back().e2 /= static_cast<double>(i + 1);  // of all magnitudes, so that the order of adding shows
        expected.add(parts.back());
    }
    std::vector<std::size_t> order(pieces);
    std::iota(order.begin(), order.end(), 0);
    ErrorSums otherwise;
    std::ranges::for_each(order.rbegin(), order.rend(), [&](std::size_t i) { otherwise.add(parts[i]); });
    CHECK(otherwise.e2 != expected.e2);

    std::mt19937 shuffler(1);
    for (int round = 0; round < 10; ++round) {
        std::ranges::shuffle(order, shuffler);
        requant::QualityCollector collector(2);
        const auto work = [&](std::size_t first) {
            for (std::size_t i = first; i < pieces; i += 3) collector.add(1, order[i], parts[order[i]], 0.25);
        };
        { const std::jthread a(work, 0), b(work, 1), c(work, 2); }
        const QualityReport report = collector.take();
        REQUIRE(report.tensors.size() == 2);
        CHECK_FALSE(report.tensors[0].measured);
        CHECK(report.tensors[1].measured);
        CHECK(report.tensors[1].seconds == 0.25 * pieces);
        CHECK(equal(report.tensors[1].sums, expected));
    }
}

TEST_CASE("quality: where the greatest error is, over pieces") {
    ErrorSums sums{.elements = 10, .max_error = 2, .max_at = 4};
    sums.add({.elements = 5, .max_error = 2, .max_at = 1});
    CHECK(sums.max_at == 4);
    sums.add({.elements = 5, .max_error = 3, .max_at = 1});
    CHECK(sums.max_at == 16);
    CHECK(sums.elements == 20);
}

TEST_CASE("quality: a tensor's place in its model, by its name") {
    const auto place = [](std::string_view name) {
        const plan::TensorPlace place = plan::place_of(name);
        return std::pair(place.layer ? static_cast<long>(*place.layer) : -1, place.part);
    };
    using Place = std::pair<long, std::string>;
    CHECK(place("blk.3.attn_q.weight") == Place(3, "attn_q"));
    CHECK(place("blk.12.ffn_down_exps.weight") == Place(12, "ffn_down_exps"));
    CHECK(place("blk.0.attn_q.bias") == Place(0, "attn_q.bias"));
    CHECK(place("dec.blk.7.cross_attn_q.weight") == Place(7, "dec.cross_attn_q"));
    CHECK(place("output.weight") == Place(-1, "output"));
    for (const char* odd : {"blk.", "blk.x.a", "blk.3", "blk.3x.a", "ablk.3.a", "blk.99999999999999999999999.a", ""}) {
        CHECK(place(odd) == Place(-1, odd));
    }
}

TEST_CASE("quality: totals by part, layer and type") {
    Plan plan;
    QualityReport report;
    const auto add = [&](std::string name, TensorType to, bool measured, double e2, std::uint64_t bytes) {
        plan.tensors.push_back({.name = std::move(name),
                                .source = 0,
                                .from = F16,
                                .to = to,
                                .n_dims = 1,
                                .ne = {1, 1, 1, 1},
                                .bytes_in = 2 * bytes,
                                .bytes_out = bytes,
                                .offset = 0,
                                .reason = {}});
        report.tensors.push_back({measured, {.elements = 1, .w2 = 100, .e2 = e2}, measured ? 0.5 : 0.0});
    };
    add("output.weight", Q6_K, true, 1, 6);
    add("blk.1.attn_v.weight", Q4_K, true, 4, 10);
    add("blk.1.attn_norm.weight", F16, false, 0, 1);
    add("blk.0.attn_v.weight", Q6_K, true, 21, 20);
    report.tensors[2].sums = {};

    const auto whole = totals(plan, report, Grouping::whole);
    REQUIRE(whole.size() == 1);
    CHECK(whole[0].tensors == 4);
    CHECK(whole[0].measured == 3);
    CHECK(whole[0].bytes_in == 74);
    CHECK(whole[0].bytes_out == 37);
    CHECK(whole[0].seconds == 1.5);
    CHECK(whole[0].sums.e2 == 26);

    const auto parts = totals(plan, report, Grouping::part);
    REQUIRE(parts.size() == 3);
    CHECK(parts[1].name == "attn_v");
    CHECK(parts[1].tensors == 2);
    CHECK(parts[1].sums.relative_rmse() == doctest::Approx(std::sqrt(25.0 / 200)));
    const auto layers = totals(plan, report, Grouping::layer);
    REQUIRE(layers.size() == 2);
    CHECK(layers[0].name == "0");
    CHECK(layers[1].name == "1");
    CHECK(layers[1].tensors == 2);
    CHECK(layers[1].measured == 1);
    const auto types = totals(plan, report, Grouping::type);
    REQUIRE(types.size() == 3);
    CHECK(types[0].name == "Q6_K");
    CHECK(types[0].bytes_out == 26);
}

TEST_CASE("quality: the same sums on every instruction set, to the last bit") {
    const std::string_view before = quant::simd_target();
    for (const std::size_t ne0 : {7U, 96U, 2051U}) {
        const Rows made = make_rows(F16, ne0, 3, true);
        const auto sums = [&] { return must(requant::measure(made.values, ne0, F16, made.blocks, made.importance)); };
        std::optional<ErrorSums> first;
        for (const std::string_view target : quant::simd_targets()) {
            CAPTURE(target);
            REQUIRE(quant::use_simd_target(target));
            if (!first) first = sums();
            CHECK(equal(sums(), *first));
        }
    }
    quant::use_simd_target(before);
}

namespace {

// Stacks of matrices that begin and end within pieces, each with an importance of its own; what the model and the plans
// borrow from stays here.
struct Stacks {
    SmallModel source = bare_llama()
                            .weights("stack", F16, {256, 37, 13})
                            .weights("copied", F32, {100})
                            .weights("wide", F16, {5120, 600})
                            .weights("flat", Q8_0, {256, 1100});
    const std::map<std::string, TensorType> small{{"stack", Q4_K}, {"wide", Q3_K}, {"flat", Q6_K}};
    const std::map<std::string, TensorType> large{{"stack", Q8_0}, {"wide", BF16}};
    std::vector<float> importance;
    TemporaryFolder folder;
    std::string in = folder / "in.gguf", out = folder / "out.gguf", other = folder / "other.gguf";

    Stacks() {
        source.save(in);
        Random random(5);
        for (int i = 0; i < 256 * 13; ++i) importance.push_back(random.unit() * 10);
    }
    Plan plan(const Model& model, const std::map<std::string, TensorType>& types, ByteOrder order) const {
        Plan plan = plan_for(model, types, order);
        plan.tensors.front().importance = importance;
        return plan;
    }
};

std::vector<float> decoded(TensorType type, std::span<const std::byte> blocks) {
    const FormatInfo& format = format_of(type);
    std::vector<float> values(blocks.size() / format.block_bytes * format.block_elements);
    REQUIRE(dequantize_rows(type, blocks, values));
    return values;
}

bool equal(const QualityReport& a, const QualityReport& b) {
    return std::ranges::equal(a.tensors, b.tensors, [](const TensorQuality& x, const TensorQuality& y) {
        return x.measured == y.measured && equal(x.sums, y.sums);
    });
}

}  // namespace

TEST_CASE("quality: execute() reports each of several outputs, whatever the threads and the byte order") {
    const Stacks stacks;
    const Model model = must(Model::open(stacks.in));
    const Plan plan = stacks.plan(model, stacks.small, ByteOrder::little);
    const Plan other = stacks.plan(model, stacks.large, ByteOrder::big);
    const std::vector<Output> outputs{{&plan, stacks.out}, {&other, stacks.other}};
    std::vector<QualityReport> first;
    for (const unsigned threads : {1u, 3u}) {
        std::vector<QualityReport> reports;
        REQUIRE(execute(model, outputs, {.work = {.threads = threads}, .overwrite = true, .quality = &reports}));
        REQUIRE(reports.size() == 2);
        if (first.empty()) first = reports;
        CHECK(equal(reports[0], first[0]));
        CHECK(equal(reports[1], first[1]));
    }
    const SmallModel made = stacks.source.requantized(stacks.small, {{"stack", stacks.importance}});
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
        const PlannedTensor& tensor = plan.tensors[i];
        CAPTURE(tensor.name);
        const TensorQuality& quality = first[0].tensors[i];
        CHECK(quality.measured == (tensor.name != "copied"));
        if (!quality.measured) continue;
        CHECK(quality.seconds > 0);
        const auto before = decoded(tensor.from, stacks.source.tensors[i].bytes),
                   after = decoded(tensor.to, made.tensors[i].bytes);
        Rows rows{.ne0 = before.size(), .values = before, .importance = {}, .decoded = after};
        if (tensor.name == "stack") {  // as one row with a weight for every value
            for (std::size_t at = 0; at < before.size(); ++at) {
                rows.importance.push_back(stacks.importance[at / (256 * 37) * 256 + at % 256]);
            }
        }
        check_against_plain_sums(rows, quality.sums);
    }
    CHECK(first[1].tensors[0].measured);
    CHECK_FALSE(first[1].tensors[3].measured);
    CHECK(first[1].tensors[0].sums.e2 < first[0].tensors[0].sums.e2);
}

TEST_CASE("quality: a run that is resumed reports what was done before too") {
    const Stacks stacks;
    const Model model = must(Model::open(stacks.in));
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        Plan plan = stacks.plan(model, stacks.small, order);
        plan.effort = Effort::max;  // so that there is time to stop
        const std::vector<Output> outputs{{&plan, stacks.out}};
        std::vector<QualityReport> whole, resumed;
        REQUIRE(execute(model, outputs, {.overwrite = true, .quality = &whole}));
        std::filesystem::remove(stacks.out);

        std::stop_source stop;
        const auto some = [&](const Progress& progress) {
            if (progress.done > 0) stop.request_stop();
        };
        REQUIRE_FALSE(execute(model, outputs,
                              {.work = {.threads = 1, .progress = some, .stop = stop.get_token()}, .resume = true}));
        std::uint64_t done_before = 0;
        const auto note = [&](const Progress& progress) {
            if (done_before == 0) done_before = progress.done;
        };
        REQUIRE(
            execute(model, outputs, {.work = {.threads = 2, .progress = note}, .resume = true, .quality = &resumed}));
        CHECK(done_before > 0);
        CHECK(done_before < plan.bytes_in());
        REQUIRE(resumed.size() == 1);
        CHECK(equal(resumed[0], whole[0]));
    }
}
