// The encoders against llama.cpp's: the error of every type is smaller by what was set as a goal, plain and weighted, or
// at the very least no larger.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <ggufkit/model.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <map>
#include <string>
#include <vector>

#include "reference/oracle.hpp"
#include "support/files.hpp"
#include "support/weight_rows.hpp"

using namespace ggufkit;
using test::squared_error;
using test::SquaredError;

namespace {

// What the error may be of the reference's: on any rows, plain or weighted by rms + |x|; and weighted by importance where
// both know it.
struct Goal {
    TensorType type;
    double error = 1;
    double with_importance = 1;
};

// Little more than what was measured, so that a loss is noticed. Q8_0 and Q1_0, which leave no freedom, have none.
constexpr Goal goals[] = {
    {TensorType::Q4_0, 0.955, 0.97},    {TensorType::Q4_1, 0.825, 0.965},  {TensorType::Q5_0, 0.96, 0.975},
    {TensorType::Q5_1, 0.805, 0.965},   {TensorType::Q2_K, 0.87, 0.92},    {TensorType::Q3_K, 0.955, 0.975},
    {TensorType::Q4_K, 0.97, 0.95},     {TensorType::Q5_K, 0.92, 0.905},   {TensorType::Q6_K, 0.905, 0.885},
    {TensorType::IQ4_NL, 0.955, 0.965}, {TensorType::IQ4_XS, 0.95, 0.955}, {TensorType::TQ1_0, 0.72, 0.48},
    {TensorType::TQ2_0, 0.72, 0.48},    {TensorType::Q2_0, 0.445, 0.34},   {TensorType::MXFP4, 0.965, 0.965},
    {TensorType::NVFP4, 0.84, 0.755},   {TensorType::IQ3_S, 0.76, 0.915},  {TensorType::IQ3_XXS, 0.965, 0.915},
    {TensorType::IQ2_S, 0.975, 0.94},   {TensorType::IQ2_XS, 0.95, 0.895}, {TensorType::IQ2_XXS, 0.96, 0.93},
    {TensorType::IQ1_S, 0.94, 0.965},   {TensorType::IQ1_M, 0.925, 0.945},
};

// A goal for all that can be made and in which rounding loses something.
std::vector<Goal> all_goals() {
    std::vector<Goal> all;
    for (const FormatInfo& format : formats()) {
        if (!format.usable() || !format.quantized() || !can_quantize(format.type())) continue;
        const auto* const goal = std::ranges::find(goals, format.type(), &Goal::type);
        all.push_back(goal != std::end(goals) ? *goal : Goal{format.type()});
    }
    return all;
}

std::vector<float> decode(TensorType type, std::span<const std::byte> blocks, std::size_t elements) {
    std::vector<float> values(elements);
    REQUIRE(dequantize_rows(type, blocks, values));
    return values;
}

std::vector<float> ours(TensorType type, std::span<const float> values, std::size_t ne0,
                        std::span<const float> importance, Effort effort = Effort::normal) {
    const FormatInfo& format = format_of(type);
    std::vector<std::byte> blocks(values.size() / format.block_elements * format.block_bytes);
    REQUIRE(quantize_rows(type, values, ne0, blocks, importance, effort));
    return decode(type, blocks, values.size());
}

struct Copies {
    std::vector<float> ours, theirs;
};

// What both make of the same rows, and of the same importance matrix if there is one.
Copies both(TensorType type, std::span<const float> values, std::size_t ne0, std::span<const float> importance = {}) {
    const FormatInfo& format = format_of(type);
    const auto copy = ours(type, values, ne0, importance);

    const test::TemporaryFolder folder;
    std::vector<std::string> question{"quant", std::to_string(format.id), std::to_string(values.size() / ne0),
                                      std::to_string(ne0)};
    // Without one the reference makes some types badly or not at all; ones say nothing.
    const std::vector<float> ones(ne0, 1.0f);
    if (importance.empty() && format.family == Family::iq && format.imatrix != ImatrixNeed::none) importance = ones;
    if (!importance.empty()) {
        question.push_back(folder / "importance");
        std::ofstream(question.back(), std::ios::binary)
            .write(reinterpret_cast<const char*>(importance.data()),
                   static_cast<std::streamsize>(importance.size_bytes()));
    }
    const auto answer = test::oracle(question, std::as_bytes(values));
    REQUIRE(answer.exit_code == 0);
    REQUIRE(answer.out.size() == values.size() / format.block_elements * format.block_bytes);
    return {copy, decode(type, answer.out, values.size())};
}

// Sums in another order may round another way.
constexpr double rounding = 1 + 1e-6;

void check_no_larger(const SquaredError& ours, const SquaredError& theirs, double goal = 1) {
    CHECK(ours.plain <= goal * rounding * theirs.plain);
    CHECK(ours.weighted <= goal * rounding * theirs.weighted);
}

struct Range {
    std::string name;
    std::size_t begin, size;
};

// Rows and where each kind of them lies. Before its first block of a codebook type the reference works for seconds, so it
// is asked once for all rows of a length.
struct Rows {
    std::vector<float> values;
    std::vector<Range> ranges;

    std::span<float> append(std::string_view name, std::size_t size) {
        ranges.push_back({std::string(name), values.size(), size});
        values.resize(values.size() + size);
        return std::span(values).last(size);
    }
};

std::span<const float> part(std::span<const float> values, const Range& range) {
    return values.subspan(range.begin, range.size);
}

Rows made_up_rows(std::size_t ne0, std::uint64_t seed) {
    Rows rows;
    for (const auto& [tail, name] : test::tails) {
        const auto values = test::weight_rows(tail, 200, ne0, seed);
        std::ranges::copy(values, rows.append(name, values.size()).begin());
    }
    return rows;
}

}  // namespace

TEST_CASE("the error of made-up rows is smaller than the reference's") {
    REQUIRE_REFERENCE();
    constexpr std::size_t ne0 = 1024;
    const Rows rows = made_up_rows(ne0, 31);
    for (const Goal& goal : all_goals()) {
        CAPTURE(format_of(goal.type).name);
        const Copies copies = both(goal.type, rows.values, ne0);
        const auto fast = ours(goal.type, rows.values, ne0, {}, Effort::fast);
        for (const Range& range : rows.ranges) {
            CAPTURE(range.name);
            const auto error = [&](const std::vector<float>& copy) {
                return squared_error(part(rows.values, range), part(copy, range));
            };
            check_no_larger(error(copies.ours), error(copies.theirs), goal.error);
            check_no_larger(error(fast), error(copies.theirs));
        }
    }
}

// Rows of the lengths that the matrices have. Those of the most common length are enough for codebook types, in which the
// reference makes a million weights a second.
TEST_CASE("the error of every matrix of a trained model is smaller than the reference's") {
    REQUIRE_REFERENCE();
    const auto model = Model::open(GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf");
    REQUIRE_MESSAGE(model, model.error().message());
    std::map<std::size_t, Rows> rows_of_length;
    for (const ModelTensor& tensor : model->tensors()) {
        const TensorInfo& info = *tensor.info;
        if (info.n_dims < 2) continue;
        const auto values = rows_of_length[static_cast<std::size_t>(info.ne[0])].append(
            info.name, static_cast<std::size_t>(info.elements().value()));
        REQUIRE(dequantize_rows(info.format->type(), model->data(tensor).value(), values));
    }
    REQUIRE(rows_of_length.size() == 2);
    const auto common_length =
        std::ranges::max_element(rows_of_length, {}, [](const auto& of) { return of.second.ranges.size(); })->first;
    for (const Goal& goal : all_goals()) {
        const FormatInfo& format = format_of(goal.type);
        CAPTURE(format.name);
        SquaredError ours, theirs;
        for (const auto& [ne0, rows] : rows_of_length) {
            if (format.family == Family::iq && ne0 != common_length) continue;
            const Copies copies = both(goal.type, rows.values, ne0);
            for (const Range& tensor : rows.ranges) {
                CAPTURE(tensor.name);
                const SquaredError a = squared_error(part(rows.values, tensor), part(copies.ours, tensor));
                const SquaredError b = squared_error(part(rows.values, tensor), part(copies.theirs, tensor));
                check_no_larger(a, b);
                ours.plain += a.plain, ours.weighted += a.weighted;
                theirs.plain += b.plain, theirs.weighted += b.weighted;
            }
        }
        check_no_larger(ours, theirs, goal.error);
        if (theirs.plain == 0) continue;  // Q8_0 of Q8_0
        fmt::print("{} error as a ratio to the reference's: plain {:.4f}, weighted {:.4f}\n", format.name,
                   ours.plain / theirs.plain, ours.weighted / theirs.weighted);
    }
}

TEST_CASE("with the same importance matrix the error that it weighs is no larger") {
    REQUIRE_REFERENCE();
    constexpr std::size_t ne0 = 1024;
    test::Random random(32);
    std::vector<float> importance(ne0);
    for (float& weight : importance) weight = test::gain(random) * test::gain(random);
    const auto weighed = [&](std::span<const float> values, std::span<const float> copy) {
        double sum = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            sum += double{importance[i % ne0]} * std::pow(double{values[i]} - double{copy[i]}, 2);
        }
        return sum;
    };
    const Rows rows = made_up_rows(ne0, 33);
    for (const Goal& goal : all_goals()) {
        CAPTURE(format_of(goal.type).name);
        const Copies copies = both(goal.type, rows.values, ne0, importance);
        for (const Range& range : rows.ranges) {
            CAPTURE(range.name);
            const double ours = weighed(part(rows.values, range), part(copies.ours, range));
            const double theirs = weighed(part(rows.values, range), part(copies.theirs, range));
            CHECK(ours <= goal.with_importance * rounding * theirs);
        }
    }
}
