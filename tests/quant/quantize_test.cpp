// The searching encoders by themselves: their bytes, their errors, and the rows that searches stumble over.
// tests/reference/quantize_test.cpp compares them with llama.cpp.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ggufkit/quant/quantize.hpp>
#include <string>
#include <vector>

#include "support/goldens.hpp"
#include "support/least_error.hpp"
#include "support/round_to_nearest.hpp"
#include "support/weight_rows.hpp"

using namespace ggufkit;
using test::round_to_nearest_shapes;
using test::squared_error;
using test::Tail;
using test::weight_rows;

namespace {

constexpr std::size_t ne0 = 512;

// All that can be made and in which rounding loses something.
std::vector<const FormatInfo*> quantized_types() {
    std::vector<const FormatInfo*> types;
    for (const FormatInfo& format : formats()) {
        if (format.usable() && format.quantized() && can_quantize(format.type())) types.push_back(&format);
    }
    return types;
}

// Codebooks of the IQ types other than IQ4, and the two values of Q1_0, have no zero; no scale there is 0 but with d.
bool has_zero(const FormatInfo& format) {
    return format.type() != TensorType::Q1_0 && (format.family != Family::iq || format.name.starts_with("IQ4"));
}
// Types in which a block is a scale times one of some values for each element.
bool is_symmetric(const FormatInfo& format) {
    const auto* const shape = std::ranges::find(round_to_nearest_shapes, format.type(), &test::Rounding::type);
    if (shape != std::end(round_to_nearest_shapes)) return shape->symmetric;
    return format.family == Family::ternary || format.family == Family::fp4 || format.name.starts_with("IQ4");
}

std::vector<std::byte> encode(TensorType type, std::span<const float> values, std::span<const float> importance = {},
                              Effort effort = Effort::normal) {
    const FormatInfo& format = format_of(type);
    std::vector<std::byte> blocks(values.size() / format.block_elements * format.block_bytes);
    const auto done = quantize_rows(type, values, ne0, blocks, importance, effort);
    REQUIRE_MESSAGE(done, done.error().message());
    return blocks;
}

std::vector<float> decode(TensorType type, std::span<const std::byte> blocks) {
    const FormatInfo& format = format_of(type);
    std::vector<float> values(blocks.size() / format.block_bytes * format.block_elements);
    REQUIRE(dequantize_rows(type, blocks, values));
    return values;
}

std::vector<float> there_and_back(TensorType type, std::span<const float> values,
                                  std::span<const float> importance = {}, Effort effort = Effort::normal) {
    return decode(type, encode(type, values, importance, effort));
}

std::vector<float> scaled(std::vector<float> values, float factor) {
    for (float& value : values) value *= factor;
    return values;
}

// Root of the squared error over the squared values.
double relative_error(std::span<const float> values, std::span<const float> copy) {
    const std::vector<float> zeros(values.size());
    return std::sqrt(squared_error(values, copy).plain / squared_error(values, zeros).plain);
}

// Every kind of row that should keep its bytes.
std::vector<float> golden_rows(TensorType type) {
    std::vector<float> rows;
    const auto append = [&](const std::vector<float>& more) { rows.insert(rows.end(), more.begin(), more.end()); };
    for (const auto& [tail, name] : test::tails) append(weight_rows(tail, 16, ne0, 77));
    append(std::vector<float>(ne0, 0.0f));
    append(std::vector<float>(ne0, 0.37f));
    append(std::vector<float>(ne0, -0.37f));
    append(scaled(weight_rows(Tail::normal, 1, ne0, 78), 0x1p-130f));  // subnormal floats
    append(scaled(weight_rows(Tail::normal, 1, ne0, 79), 0x1p-18f));   // subnormal scales
    // Mins near the largest half; NVFP4 ends at 2688.
    append(scaled(weight_rows(Tail::normal, 1, ne0, 80), type == TensorType::NVFP4 ? 0x1p8f : 0x1p19f));
    std::vector<float> outlier = weight_rows(Tail::normal, 1, ne0, 81);
    outlier[300] = -50;
    append(outlier);
    return rows;
}

}  // namespace

TEST_CASE("encoded bytes stay what they are") {
    using enum TensorType;
    const test::Golden goldens[] = {
        {Q4_0, 0xc466fcb516a52305},   {Q4_1, 0xd2c02e0cdc655d6f},   {Q5_0, 0x67e8e8319e9bb637},
        {Q5_1, 0x18ef82418c243934},   {Q2_K, 0xd541852a34c4df96},   {Q3_K, 0xdf93959976482dad},
        {Q4_K, 0x307c406fab2a10a2},   {Q5_K, 0xc8920c2dfe994cdb},   {Q6_K, 0x984c67bbf7235d21},
        {IQ4_NL, 0xa197c3fbda7ca343}, {IQ4_XS, 0x1c3b2008010be13a}, {TQ1_0, 0x701d4825616bb2c4},
        {TQ2_0, 0x9df386aeee3a233c},  {MXFP4, 0x584d7ee8b1c70e45},  {NVFP4, 0x3136516b5b8c752b},
        {Q1_0, 0xa159a0c7501ef082},   {Q2_0, 0x8e4a9439e1fef848},   {IQ2_XXS, 0xb84c32bd8809298b},
        {IQ2_XS, 0xcbac80cd57536ed8}, {IQ2_S, 0x12648f278956eca0},  {IQ3_XXS, 0x6235b88624feeb1d},
        {IQ3_S, 0xba4ae8061f1262e6},  {IQ1_S, 0x12b4545438287599},  {IQ1_M, 0x987ecfea5d1c6838},
    };
    test::check_goldens(goldens, [](TensorType type) { return encode(type, golden_rows(type)); });
}

TEST_CASE("encoded bytes stay what they are with an importance matrix") {
    using enum TensorType;
    const test::Golden goldens[] = {
        {Q4_0, 0x3a52d05a1f1189c9},   {Q4_1, 0x05f5fd2ee12d21a4},   {Q5_0, 0x242ce68cc71f4132},
        {Q5_1, 0xf530d0165a7bc5e2},   {Q2_K, 0xb373c5bdebff742c},   {Q3_K, 0xcc61ba04f38ff8fe},
        {Q4_K, 0x40f76646d5e5d8f3},   {Q5_K, 0xd3132535049cedbb},   {Q6_K, 0x9398ac28fa06c126},
        {IQ4_NL, 0x008f5980be0b1aa2}, {IQ4_XS, 0x08a209cce63b4f51}, {TQ1_0, 0x9179ba96132d6bce},
        {TQ2_0, 0x51cc55de4ef698e0},  {MXFP4, 0x32f571305cd10c49},  {NVFP4, 0xb7bffc689336b3e9},
        {Q1_0, 0x6fa73a9425398ae7},   {Q2_0, 0x2e7a713afe2be6d7},   {IQ2_XXS, 0x013988f3dabb32ef},
        {IQ2_XS, 0x7f82fec49b351eb2}, {IQ2_S, 0x10211a7f289d1f67},  {IQ3_XXS, 0x34aaadf101ecd26c},
        {IQ3_S, 0x7792d26efdf83bdb},  {IQ1_S, 0x4dc3fd507f98422d},  {IQ1_M, 0x73cd330d537a9feb},
    };
    test::Random random(82);
    std::vector<float> importance(ne0);
    for (float& weight : importance) weight = 1000 * test::gain(random);
    std::fill_n(importance.begin() + 32, 64, 0.0f);
    test::check_goldens(goldens, [&](TensorType type) { return encode(type, golden_rows(type), importance); });
}

TEST_CASE("the error of heavy-tailed rows stays where it was measured") {
    struct Bound {
        TensorType type;
        double relative_error;  // measured, and rounded up in the fourth digit
        double reference;       // llama.cpp's on the same rows; only Q1_0 has nothing to search for
    };
    using enum TensorType;
    const Bound bounds[] = {
        {Q4_0, 0.1036, 0.107134},    {Q4_1, 0.0806, 0.089052},    {Q5_0, 0.0515, 0.053454},   {Q5_1, 0.0391, 0.043175},
        {Q2_K, 0.2888, 0.331079},    {Q3_K, 0.1700, 0.174999},    {Q4_K, 0.0808, 0.082400},   {Q5_K, 0.0401, 0.041627},
        {Q6_K, 0.0200, 0.021323},    {IQ4_NL, 0.0860, 0.088243},  {IQ4_XS, 0.0866, 0.089081}, {TQ1_0, 0.5166, 0.852696},
        {TQ2_0, 0.5166, 0.852696},   {MXFP4, 0.1224, 0.126098},   {NVFP4, 0.0869, 0.097340},  {Q1_0, 0.6717, 0.671685},
        {Q2_0, 0.4016, 0.742600},    {IQ2_XXS, 0.3695, 0.386701}, {IQ2_XS, 0.3116, 0.328148}, {IQ2_S, 0.2782, 0.288965},
        {IQ3_XXS, 0.1906, 0.196709}, {IQ3_S, 0.1469, 0.187272},   {IQ1_S, 0.5207, 0.552865},  {IQ1_M, 0.4602, 0.488250},
    };
    const auto rows = weight_rows(Tail::student, 400, ne0, 5);
    for (const Bound& bound : bounds) {
        const double error = relative_error(rows, there_and_back(bound.type, rows));
        CHECK_MESSAGE(error <= bound.relative_error, fmt::format("{} {:.6f}", format_of(bound.type).name, error));
        CHECK(error <= bound.reference);
    }
}

TEST_CASE("types with one scale come close to the least error that there is") {
    struct Case {
        TensorType type;
        double test::SquaredError::*minimised;
        double at_most;  // times the least
    };
    constexpr std::array<Case, 4> cases{{{TensorType::Q4_0, &test::SquaredError::weighted, 1.004},
                                         {TensorType::Q5_0, &test::SquaredError::weighted, 1.004},
                                         {TensorType::MXFP4, &test::SquaredError::plain, 1.001},
                                         {TensorType::NVFP4, &test::SquaredError::plain, 1.002}}};
    for (const auto& [tail, name] : test::tails) {
        const auto values = weight_rows(tail, 8, ne0, 8);
        for (const Case& c : cases) {
            CAPTURE(name);
            CAPTURE(format_of(c.type).name);
            const auto least = test::least_error(c.type, values);
            REQUIRE(least);
            const double ours = squared_error(values, there_and_back(c.type, values)).*c.minimised;
            CHECK(ours >= (*least).*c.minimised * (1 - 1e-6));
            CHECK(ours <= (*least).*c.minimised * c.at_most);
        }
    }
}

// One search cannot be better everywhere: where an outlier makes up most of a super-block's error, rounding may be
// lucky.
TEST_CASE("next to no block is worse than one rounded to nearest, and none by much") {
    for (const auto& shape : round_to_nearest_shapes) {
        for (const auto& [tail, name] : test::tails) {
            CAPTURE(format_of(shape.type).name);
            CAPTURE(name);
            const auto rows = weight_rows(tail, 500, ne0, 6);
            const auto ours = there_and_back(shape.type, rows);
            const auto plain = test::round_to_nearest(shape, rows);
            const std::size_t blocks = rows.size() / 256;
            std::size_t worse = 0;
            for (std::size_t i = 0; i < blocks; ++i) {
                const auto block = [i](const std::vector<float>& v) { return std::span(v).subspan(i * 256, 256); };
                const double found = squared_error(block(rows), block(ours)).weighted;
                const double rounded = squared_error(block(rows), block(plain)).weighted;
                if (found > rounded) ++worse;
                CHECK(found <= 1.15 * rounded);
            }
            CHECK(200 * worse <= blocks);
        }
    }
}

TEST_CASE("a power of two changes scales and no codes") {
    for (const FormatInfo* const format : quantized_types()) {
        CAPTURE(format->name);
        const TensorType type = format->type();
        const auto rows = scaled(weight_rows(Tail::student, 8, ne0, 7), 64);  // scales well above subnormal
        for (const float factor : {0.5f, 16.0f}) {
            CHECK(there_and_back(type, scaled(rows, factor)) == scaled(there_and_back(type, rows), factor));
        }
    }
}

TEST_CASE("what a type can represent comes back as it was, or as good as that where that is ambiguous") {
    for (const FormatInfo* const format : quantized_types()) {
        CAPTURE(format->name);
        const auto rows = scaled(weight_rows(Tail::student, 64, ne0, 8), 64);
        const auto once = there_and_back(format->type(), rows);
        const double again = relative_error(once, there_and_back(format->type(), once));
        CHECK(again <= (is_symmetric(*format) ? 0 : 0.3 * relative_error(rows, once)));
    }
}

TEST_CASE("weights that were trained to few levels stay themselves") {
    using enum TensorType;
    for (const TensorType type : {TQ1_0, TQ2_0, Q2_0, Q1_0}) {
        CAPTURE(format_of(type).name);
        test::Random random(84);
        std::vector<float> rows(64 * ne0);
        for (std::size_t i = 0; i < rows.size(); ++i) {
            const float scale = 0x1.4p-6f * static_cast<float>(1 + i / 256 % 7);
            const int level =
                type == Q1_0 ? 2 * static_cast<int>(random.below(2)) - 1 : static_cast<int>(random.below(3)) - 1;
            rows[i] = scale * static_cast<float>(level);
        }
        CHECK(there_and_back(type, rows) == rows);
    }
}

TEST_CASE("zeros, and values below what a scale can be, become zeros") {
    for (const FormatInfo* const format : quantized_types()) {
        CAPTURE(format->name);
        const TensorType type = format->type();
        const std::vector<float> zeros(ne0);
        CHECK(there_and_back(type, zeros) == zeros);
        if (type == TensorType::MXFP4) continue;  // whose scales reach as far down as floats do
        CHECK(there_and_back(type, scaled(weight_rows(Tail::normal, 1, ne0, 9), 0x1p-40f)) == zeros);
        CHECK(there_and_back(type, std::vector<float>(ne0, 0x1p-149f)) == zeros);
    }
}

TEST_CASE("MXFP4 keeps values of any size") {
    for (const float factor : {0x1p-110f, 0x1p-60f, 0x1p-30f, 0x1p60f, 0x1p125f}) {
        CAPTURE(factor);
        const auto rows = scaled(weight_rows(Tail::normal, 1, ne0, 9), factor);
        CHECK(relative_error(rows, there_and_back(TensorType::MXFP4, rows)) < 0.15);
    }
    for (const float value : there_and_back(TensorType::MXFP4, std::vector<float>(ne0, 0x1p-126f))) {
        REQUIRE(value == 0x1p-126f);
    }
}

TEST_CASE("constants keep their value") {
    for (const FormatInfo* const format : quantized_types()) {
        CAPTURE(format->name);
        // A scale of few bits cannot; a codebook may not have the point.
        const bool coarse = format->family == Family::fp4 || (format->family == Family::iq && !is_symmetric(*format));
        for (const float constant : {1.0f, -1.0f, 0.013f, -713.0f}) {
            const std::vector<float> row(ne0, constant);
            CHECK(relative_error(row, there_and_back(format->type(), row)) < (coarse ? 0.2 : 0.004));
        }
    }
}

TEST_CASE("an outlier is kept, and costs no other super-block anything") {
    for (const FormatInfo* const format : quantized_types()) {
        CAPTURE(format->name);
        auto rows = weight_rows(Tail::normal, 1, ne0, 10);
        const auto without = there_and_back(format->type(), rows);
        rows[300] = -50;
        const auto with = there_and_back(format->type(), rows);
        if (has_zero(*format))
            CHECK(with[300] == doctest::Approx(-50).epsilon(format->family == Family::fp4 ? 0.05 : 0.02));
        CHECK(std::equal(with.begin(), with.begin() + 256, without.begin()));
    }
}

TEST_CASE("scales reach the largest half") {
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        // Half of what the largest scale makes of the largest code.
        const auto codes = static_cast<float>(shape.levels - 1) / (shape.symmetric ? 2.0f : 1.0f);
        const auto scales = static_cast<float>(shape.largest_scale);
        std::vector<float> rows = weight_rows(Tail::normal, 2, ne0, 11);
        const float peak = std::abs(*std::ranges::max_element(rows, {}, [](float x) { return std::abs(x); }));
        rows = scaled(rows, 32752.0f * scales * (shape.symmetric ? codes : 1.0f) / peak);
        CHECK(relative_error(rows, there_and_back(shape.type, rows)) < 0.4);
    }
}

TEST_CASE("scales beyond the largest half are an error") {
    const std::vector<float> importance(ne0, 1.0f);
    for (const FormatInfo* const format : quantized_types()) {
        if (format->family == Family::fp4) continue;  // which has none
        CAPTURE(format->name);
        // 65504 times the largest scale (127 or 255) times the largest value (127) is below 2^31.
        for (const float excess : {0x1p37f, 1e30f}) {
            const auto rows = scaled(weight_rows(Tail::normal, 2, ne0, 11), excess);
            std::vector<std::byte> blocks(rows.size() / format->block_elements * format->block_bytes);
            for (const auto& weights : {std::span<const float>{}, std::span(importance)}) {
                const auto result = quantize_rows(format->type(), rows, ne0, blocks, weights);
                REQUIRE(!result);
                CHECK(result.error().code == Errc::bad_quant);
            }
        }
    }
}

TEST_CASE("an importance matrix moves the error to where it matters less") {
    test::Random random(83);
    std::vector<float> importance(ne0);
    for (float& weight : importance) weight = random.below(4) == 0 ? 10.0f : 0.1f;
    const auto important_error = [&](std::span<const float> values, std::span<const float> copy) {
        double sum = 0;
        for (std::size_t i = 0; i < values.size(); ++i) {
            sum += double{importance[i % ne0]} * std::pow(double{values[i]} - double{copy[i]}, 2);
        }
        return sum;
    };
    for (const FormatInfo* const format : quantized_types()) {
        CAPTURE(format->name);
        const auto rows = weight_rows(Tail::student, 64, ne0, 12);
        const double with = important_error(rows, there_and_back(format->type(), rows, importance));
        const double without = important_error(rows, there_and_back(format->type(), rows));
        // Q8_0 takes no notice, and few values, or scales of few bits, leave little to choose.
        const bool free = format->type() != TensorType::Q8_0 && format->type() != TensorType::MXFP4 &&
                          format->family != Family::ternary;
        CHECK(with <= (free ? 0.9 : 1.0) * without);
    }
}

TEST_CASE("blocks of zeros and of next to nothing among others stay so under an importance matrix") {
    for (const FormatInfo* const format : quantized_types()) {
        CAPTURE(format->name);
        auto rows = weight_rows(Tail::normal, 1, ne0, 14);
        const double usual = relative_error(rows, there_and_back(format->type(), rows));
        std::fill_n(rows.begin(), 32, 0.0f);
        std::fill_n(rows.begin() + 32, 32, 0x1p-100f);
        const auto copy = there_and_back(format->type(), rows, std::vector<float>(ne0, 3.0f));
        const auto is_nothing = [](float x) { return std::abs(x) < 0x1p-99f; };
        if (has_zero(*format)) CHECK(std::all_of(copy.begin(), copy.begin() + 64, is_nothing));
        CHECK(relative_error(rows, copy) < 1.3 * usual);
    }
}

TEST_CASE("an importance of nought is harmless") {
    for (const FormatInfo* const format : quantized_types()) {
        CAPTURE(format->name);
        const auto rows = weight_rows(Tail::normal, 4, ne0, 13);
        const double usual = relative_error(rows, there_and_back(format->type(), rows));
        CHECK(relative_error(rows, there_and_back(format->type(), rows, std::vector<float>(ne0))) < 1.3 * usual);
    }
}

TEST_CASE("more effort makes no larger an error") {
    for (const FormatInfo* const format : quantized_types()) {
        CAPTURE(format->name);
        // What is minimised is the plain error where values or scales are few, and elsewhere the weighted one.
        const bool plain = format->family == Family::ternary || format->family == Family::fp4;
        const auto error = [&](Effort effort) {
            double sum = 0;
            for (const auto& [tail, name] : test::tails) {
                const auto rows = weight_rows(tail, 32, ne0, 15);
                const auto found = squared_error(rows, there_and_back(format->type(), rows, {}, effort));
                const auto whole = squared_error(rows, std::vector<float>(rows.size()));
                sum += plain ? found.plain / whole.plain : found.weighted / whole.weighted;
            }
            return sum;
        };
        const double fast = error(Effort::fast), normal = error(Effort::normal), most = error(Effort::max);
        CHECK(normal <= fast);
        CHECK(most <= 1.01 * normal);  // the grid of the longest search does not hold the starts of the usual one
    }
}
