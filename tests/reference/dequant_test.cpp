// Decoders, and the encoders that only round, bit for bit against llama.cpp.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <ggufkit/quant/quantize.hpp>
#include <limits>
#include <string>
#include <vector>

#include "reference/oracle.hpp"
#include "support/goldens.hpp"
#include "support/random_blocks.hpp"

using namespace ggufkit;
using test::random_blocks;

namespace {

std::vector<std::byte> reference_values(const FormatInfo& format, std::span<const std::byte> blocks) {
    const std::size_t elements = blocks.size() / format.block_bytes * format.block_elements;
    auto result = test::oracle({"dequant", std::to_string(format.id), std::to_string(elements)}, blocks);
    REQUIRE(result.exit_code == 0);
    REQUIRE(result.out.size() == elements * sizeof(float));
    return std::move(result.out);
}

// The index of the first float whose bits differ, or their number.
std::size_t first_difference(std::span<const float> ours, std::span<const std::byte> theirs) {
    const auto bytes = std::as_bytes(ours);
    return static_cast<std::size_t>(std::ranges::mismatch(bytes, theirs).in1 - bytes.begin()) / sizeof(float);
}

void check_same_values(const FormatInfo& format, std::span<const std::byte> blocks) {
    std::vector<float> ours(blocks.size() / format.block_bytes * format.block_elements);
    REQUIRE(dequantize_rows(format.type(), blocks, ours));
    CHECK(first_difference(ours, reference_values(format, blocks)) == ours.size());
}

// Rows as weights are, and as no weight should be: heavy tails, zeros, subnormals, huge values, one outlier.
std::vector<float> varied_rows(std::size_t rows, std::size_t ne0, float largest) {
    test::Random random(20);
    std::vector<float> values(rows * ne0);
    for (std::size_t row = 0; row < rows; ++row) {
        for (std::size_t i = 0; i < ne0; ++i) {
            float& value = values[row * ne0 + i];
            const float sign = random.bits() % 2 == 0 ? 1.0f : -1.0f;
            const float u = random.unit();
            switch (row % 6) {
                case 0: value = sign * 0.02f * u / (1.0001f - u); break;
                case 1: value = random.below(3) == 0 ? 0.0f : sign * u; break;
                case 2: value = sign * std::ldexp(u, -110 - static_cast<int>(row % 40)); break;
                case 3: value = sign * u * largest; break;
                case 4: value = i == 5 ? largest : sign * u * 1e-3f; break;
                case 5: value = sign * static_cast<float>(random.below(255)) * 0.5f; break;  // ties
            }
        }
        if (row % 24 == 7) std::fill_n(values.begin() + static_cast<std::ptrdiff_t>(row * ne0), ne0, -0.0f);
    }
    return values;
}

void check_same_blocks(TensorType type, const std::vector<float>& values, std::size_t ne0) {
    const FormatInfo& format = format_of(type);
    CAPTURE(format.name);
    std::vector<std::byte> ours(values.size() / format.block_elements * format.block_bytes);
    REQUIRE(quantize_rows(type, values, ne0, ours));
    const auto theirs =
        test::oracle({"quant", std::to_string(format.id), std::to_string(values.size() / ne0), std::to_string(ne0)},
                     std::as_bytes(std::span(values)));
    REQUIRE(theirs.exit_code == 0);
    REQUIRE(theirs.out.size() == ours.size());
    const auto differs = std::ranges::mismatch(ours, theirs.out);
    CHECK(differs.in1 - ours.begin() == static_cast<std::ptrdiff_t>(ours.size()));
}

}  // namespace

TEST_CASE("the goldens are what the reference decodes") {
    REQUIRE_REFERENCE();
    test::check_goldens(test::dequantize_goldens(), [](TensorType type) {
        const FormatInfo& format = format_of(type);
        return reference_values(format, random_blocks(format, test::golden_blocks, format.id));
    });
}

TEST_CASE("thousands of random blocks decode to the same bits") {
    REQUIRE_REFERENCE();
    for (const test::Golden& golden : test::dequantize_goldens()) {
        const FormatInfo& format = format_of(golden.type);
        CAPTURE(format.name);
        check_same_values(format, random_blocks(format, 4096, 1000 + format.id));
    }
}

TEST_CASE("every half and every bfloat decodes to the same bits") {
    REQUIRE_REFERENCE();
    for (const TensorType type : {TensorType::F16, TensorType::BF16}) {
        const std::uint32_t infinity = type == TensorType::F16 ? 0x7c00 : 0x7f80;
        std::vector<std::byte> all;
        for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
            if ((bits & 0x7fffu) > infinity) continue;  // NaN payloads differ
            all.push_back(static_cast<std::byte>(bits & 255u));
            all.push_back(static_cast<std::byte>(bits >> 8));
        }
        check_same_values(format_of(type), all);
    }
}

TEST_CASE("every scale of the FP4 types decodes to the same bits") {
    REQUIRE_REFERENCE();
    for (const TensorType type : {TensorType::MXFP4, TensorType::NVFP4}) {
        const FormatInfo& format = format_of(type);
        CAPTURE(format.name);
        const Field& scale = format.fields.front();
        auto blocks = random_blocks(format, 255, 1);  // the scale 255 of MXFP4 is NaN
        for (std::size_t i = 0; i < 255; ++i) {
            std::byte* const scales = blocks.data() + i * format.block_bytes + scale.offset;
            for (std::size_t k = 0; k < scale.count; ++k) scales[k] = static_cast<std::byte>(i + k);
        }
        check_same_values(format, blocks);
    }
}

TEST_CASE("Q8_0, F16 and BF16 are encoded to the same bits") {
    REQUIRE_REFERENCE();
    check_same_blocks(TensorType::Q8_0, varied_rows(600, 512, 8e6f), 512);
    check_same_blocks(TensorType::F16, varied_rows(600, 512, 65000.0f), 512);
    check_same_blocks(TensorType::BF16, varied_rows(600, 512, 3e38f), 512);
}
