// The searching encoders by themselves: their bytes, their errors, and the rows that searches stumble over.
// tests/reference/quantize_test.cpp compares them with llama.cpp.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ggufkit/quantize.hpp>
#include <string>
#include <vector>

#include "support/goldens.hpp"
#include "support/round_to_nearest.hpp"
#include "support/weight_rows.hpp"

using namespace ggufkit;
using test::round_to_nearest_shapes;
using test::squared_error;
using test::Tail;
using test::weight_rows;

namespace {

constexpr std::size_t ne0 = 512;

std::vector<std::byte> encode(TensorType type, std::span<const float> values, std::span<const float> importance = {}) {
    const FormatInfo& format = format_of(type);
    std::vector<std::byte> blocks(values.size() / format.block_elements * format.block_bytes);
    const auto done = quantize_rows(type, values, ne0, blocks, importance);
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
                                  std::span<const float> importance = {}) {
    return decode(type, encode(type, values, importance));
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
std::vector<float> golden_rows() {
    std::vector<float> rows;
    const auto append = [&](const std::vector<float>& more) { rows.insert(rows.end(), more.begin(), more.end()); };
    for (const auto& [tail, name] : test::tails) append(weight_rows(tail, 16, ne0, 77));
    append(std::vector<float>(ne0, 0.0f));
    append(std::vector<float>(ne0, 0.37f));
    append(std::vector<float>(ne0, -0.37f));
    append(scaled(weight_rows(Tail::normal, 1, ne0, 78), 0x1p-130f));  // subnormal floats
    append(scaled(weight_rows(Tail::normal, 1, ne0, 79), 0x1p-18f));   // subnormal scales
    append(scaled(weight_rows(Tail::normal, 1, ne0, 80), 0x1p19f));    // mins near the largest half
    std::vector<float> outlier = weight_rows(Tail::normal, 1, ne0, 81);
    outlier[300] = -50;
    append(outlier);
    return rows;
}

}  // namespace

TEST_CASE("encoded bytes stay what they are") {
    using enum TensorType;
    const test::Golden goldens[] = {
        {Q4_0, 0x31bd106132e7ed8f}, {Q4_1, 0xd2c02e0cdc655d6f}, {Q5_0, 0x443315dbbc8ccebd},
        {Q5_1, 0xcc873316d4c7753e}, {Q2_K, 0xd541852a34c4df96}, {Q3_K, 0xc87d14bf871093fc},
        {Q4_K, 0xfb08e75f50c185e6}, {Q5_K, 0x1196b153405d62bc}, {Q6_K, 0x15d82ee73ae5a44b},
    };
    const auto rows = golden_rows();
    for (const auto& [type, hash] : goldens) {
        const std::uint64_t found = test::hash_of(encode(type, rows));
        CHECK_MESSAGE(found == hash, fmt::format("{{{}, {:#018x}}}", format_of(type).name, found));
    }
}

TEST_CASE("encoded bytes stay what they are with an importance matrix") {
    using enum TensorType;
    const test::Golden goldens[] = {
        {Q4_0, 0x1cc8846b0ad7cb20}, {Q4_1, 0xe9c4fd0766580917}, {Q5_0, 0x9617d10fcb858a6b},
        {Q5_1, 0x968a25aab34ef96c}, {Q2_K, 0xb373c5bdebff742c}, {Q3_K, 0xdb051ffd375fc83f},
        {Q4_K, 0xec3c1bb59e90b777}, {Q5_K, 0x0355ade08cc0c133}, {Q6_K, 0x4e648dfd71cb3715},
    };
    const auto rows = golden_rows();
    test::Random random(82);
    std::vector<float> importance(ne0);
    for (float& weight : importance) weight = 1000 * test::gain(random);
    std::fill_n(importance.begin() + 32, 64, 0.0f);
    for (const auto& [type, hash] : goldens) {
        const std::uint64_t found = test::hash_of(encode(type, rows, importance));
        CHECK_MESSAGE(found == hash, fmt::format("{{{}, {:#018x}}}", format_of(type).name, found));
    }
}

TEST_CASE("the error of heavy-tailed rows stays where it was measured") {
    struct Bound {
        TensorType type;
        double relative_error;  // measured, and rounded up in the fourth digit
        double reference;       // llama.cpp's on the same rows
    };
    using enum TensorType;
    const Bound bounds[] = {
        {Q4_0, 0.1036, 0.107134}, {Q4_1, 0.0806, 0.089052}, {Q5_0, 0.0515, 0.053454},
        {Q5_1, 0.0391, 0.043175}, {Q2_K, 0.2888, 0.331079}, {Q3_K, 0.1700, 0.174999},
        {Q4_K, 0.0807, 0.082400}, {Q5_K, 0.0401, 0.041627}, {Q6_K, 0.0200, 0.021323},
    };
    const auto rows = weight_rows(Tail::student, 400, ne0, 5);
    for (const Bound& bound : bounds) {
        const double error = relative_error(rows, there_and_back(bound.type, rows));
        CHECK_MESSAGE(error <= bound.relative_error, fmt::format("{} {:.6f}", format_of(bound.type).name, error));
        CHECK(bound.relative_error < bound.reference);
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
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        const auto rows = scaled(weight_rows(Tail::student, 8, ne0, 7), 64);  // scales well above subnormal
        for (const float factor : {0.5f, 128.0f}) {
            CHECK(there_and_back(shape.type, scaled(rows, factor)) == scaled(there_and_back(shape.type, rows), factor));
        }
    }
}

TEST_CASE("what a type can represent comes back as it was, or as good as that where a min makes it ambiguous") {
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        const auto rows = scaled(weight_rows(Tail::student, 64, ne0, 8), 64);
        const auto once = there_and_back(shape.type, rows);
        const double again = relative_error(once, there_and_back(shape.type, once));
        CHECK(again <= (shape.symmetric ? 0 : 0.3 * relative_error(rows, once)));
    }
}

TEST_CASE("zeros, and values below what a half can scale, become zeros") {
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        const std::vector<float> zeros(ne0);
        CHECK(there_and_back(shape.type, zeros) == zeros);
        CHECK(there_and_back(shape.type, scaled(weight_rows(Tail::normal, 1, ne0, 9), 0x1p-40f)) == zeros);
        CHECK(there_and_back(shape.type, std::vector<float>(ne0, 0x1p-149f)) == zeros);
    }
}

TEST_CASE("constants keep their value") {
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        for (const float constant : {1.0f, -1.0f, 0.013f, -713.0f}) {
            for (const float value : there_and_back(shape.type, std::vector<float>(ne0, constant))) {
                REQUIRE(value == doctest::Approx(constant).epsilon(0.001));
            }
        }
    }
}

TEST_CASE("an outlier is kept, and costs no other super-block anything") {
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        auto rows = weight_rows(Tail::normal, 1, ne0, 10);
        const auto without = there_and_back(shape.type, rows);
        rows[300] = -50;
        const auto with = there_and_back(shape.type, rows);
        CHECK(with[300] == doctest::Approx(-50).epsilon(0.02));
        CHECK(std::equal(with.begin(), with.begin() + 256, without.begin()));
    }
}

TEST_CASE("scales reach the largest half and no further") {
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        const FormatInfo& format = format_of(shape.type);
        // Half of what the largest scale makes of the largest code.
        const auto codes = static_cast<float>(shape.levels - 1) / (shape.symmetric ? 2.0f : 1.0f);
        const auto scales = static_cast<float>(shape.largest_scale);
        std::vector<float> rows = weight_rows(Tail::normal, 2, ne0, 11);
        const float peak = std::abs(*std::ranges::max_element(rows, {}, [](float x) { return std::abs(x); }));
        rows = scaled(rows, 32752.0f * scales * (shape.symmetric ? codes : 1.0f) / peak);
        CHECK(relative_error(rows, there_and_back(shape.type, rows)) < 0.4);

        std::vector<std::byte> blocks(rows.size() / format.block_elements * format.block_bytes);
        const std::vector<float> importance(ne0, 1.0f);
        for (const float excess : {40 * codes, 1e20f}) {
            for (const auto& weights : {std::span<const float>{}, std::span(importance)}) {
                const auto result = quantize_rows(shape.type, scaled(rows, excess), ne0, blocks, weights);
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
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        const auto rows = weight_rows(Tail::student, 64, ne0, 12);
        const double with = important_error(rows, there_and_back(shape.type, rows, importance));
        CHECK(with < 0.9 * important_error(rows, there_and_back(shape.type, rows)));
    }
}

TEST_CASE("blocks of zeros and of next to nothing among others stay so under an importance matrix") {
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        auto rows = weight_rows(Tail::normal, 1, ne0, 14);
        std::fill_n(rows.begin(), 32, 0.0f);
        std::fill_n(rows.begin() + 32, 32, 0x1p-100f);
        const auto copy = there_and_back(shape.type, rows, std::vector<float>(ne0, 3.0f));
        CHECK(std::all_of(copy.begin(), copy.begin() + 64, [](float x) { return x == 0; }));
        CHECK(relative_error(rows, copy) < 0.4);
    }
}

TEST_CASE("an importance of nought is harmless") {
    for (const auto& shape : round_to_nearest_shapes) {
        CAPTURE(format_of(shape.type).name);
        const auto rows = weight_rows(Tail::normal, 4, ne0, 13);
        CHECK(relative_error(rows, there_and_back(shape.type, rows, std::vector<float>(ne0))) < 0.5);
    }
}
