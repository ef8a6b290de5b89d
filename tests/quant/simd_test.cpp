// Every target that this CPU can run writes the bytes that the scalar one writes, and so do rows one by one; every target
// decodes them to the same numbers.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <ggufkit/quant/quantize.hpp>
#include <memory>
#include <string>
#include <vector>

#include "core/half.hpp"
#include "quant/kernels.hpp"
#include "quant/simd/target.hpp"
#include "support/weight_rows.hpp"

using namespace ggufkit;

namespace {

struct Rows {
    std::string name;
    std::size_t ne0;
    std::vector<float> values;
};

std::vector<float> scaled(std::vector<float> values, float factor) {
    for (float& value : values) value *= factor;
    return values;
}

constexpr std::size_t narrow = 3;  // blocks a row

// Widths that fill batches and leave some of them part empty, and values that arithmetic stumbles over. Codebooks take
// long to search: their wide rows are of two distributions only, the narrow ones of all.
std::vector<Rows> all_rows(const FormatInfo& format) {
    const std::size_t block = format.block_elements;
    std::vector<Rows> all;
    for (const std::size_t blocks : {1U, 2U, 3U, 7U, 16U, 17U}) {
        for (const auto& [tail, name] : test::tails) {
            const bool of_wide_rows = tail == test::Tail::normal || tail == test::Tail::gains;
            if (format.family == Family::iq && blocks > narrow && !of_wide_rows) continue;
            const std::size_t ne0 = block * blocks;
            all.push_back({fmt::format("{} of {}", name, ne0), ne0, test::weight_rows(tail, 3, ne0, blocks)});
        }
    }
    const std::size_t ne0 = narrow * block;
    const auto plain = [&](std::uint64_t seed) { return test::weight_rows(test::Tail::normal, 3, ne0, seed); };
    all.push_back({"zeros", ne0, std::vector<float>(3 * ne0)});
    all.push_back({"a constant", ne0, std::vector<float>(3 * ne0, -0.37f)});
    all.push_back({"subnormal floats", ne0, scaled(plain(1), 0x1p-125f)});
    all.push_back({"subnormal scales", ne0, scaled(plain(2), 0x1p-17f)});
    all.push_back({"values near the largest half", ne0, scaled(plain(3), 0x1p18f)});
    auto outlier = plain(4);
    outlier[ne0 + 5] = -50;
    all.push_back({"an outlier", ne0, outlier});
    auto ties = plain(5);
    for (float& value : ties) value = std::nearbyint(value * 500.0f) * 0.25f;
    all.push_back({"ties", ne0, ties});
    return all;
}

std::vector<float> made_up_importance(std::size_t ne0) {
    test::Random random(ne0);
    std::vector<float> importance(ne0);
    for (float& weight : importance) weight = random.below(9) == 0 ? 0.0f : 100 * test::gain(random);
    return importance;
}

// The blocks, or nothing where a scale overflows.
std::vector<std::byte> encode(TensorType type, std::span<const float> values, std::size_t ne0,
                              std::span<const float> importance, Effort effort) {
    const FormatInfo& format = format_of(type);
    std::vector<std::byte> blocks(values.size() / format.block_elements * format.block_bytes);
    if (!quantize_rows(type, values, ne0, blocks, importance, effort)) blocks.clear();
    return blocks;
}

std::vector<std::byte> encode_one_by_one(TensorType type, const Rows& rows, std::span<const float> importance,
                                         Effort effort) {
    std::vector<std::byte> blocks;
    for (std::size_t i = 0; i < rows.values.size(); i += rows.ne0) {
        const auto row = encode(type, std::span(rows.values).subspan(i, rows.ne0), rows.ne0, importance, effort);
        blocks.insert(blocks.end(), row.begin(), row.end());
    }
    return blocks;
}

// Rows one by one go to the target that takes most blocks at once, and narrow ones to the scalar one too, which is slow.
void check_targets(TensorType type, const Rows& rows, std::span<const float> importance, Effort effort) {
    REQUIRE(quant::use_simd_target("scalar"));
    const auto expected = encode(type, rows.values, rows.ne0, importance, effort);
    for (const std::string_view target : quant::simd_targets()) {
        CAPTURE(target);
        REQUIRE(quant::use_simd_target(target));
        if (target != "scalar") CHECK(encode(type, rows.values, rows.ne0, importance, effort) == expected);
        const bool is_narrow = rows.ne0 <= narrow * format_of(type).block_elements;
        if (expected.empty() || !(target == quant::simd_targets().front() || (target == "scalar" && is_narrow)))
            continue;
        CHECK(encode_one_by_one(type, rows, importance, effort) == expected);
    }
}

std::vector<float> decode(TensorType type, std::span<const std::byte> blocks) {
    const FormatInfo& format = format_of(type);
    std::vector<float> values(blocks.size() / format.block_bytes * format.block_elements);
    REQUIRE(dequantize_rows(type, blocks, values));
    return values;
}

bool same_bits(std::span<const float> a, std::span<const float> b) {
    return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

std::vector<TensorType> quantizable_types(bool (*wanted)(const FormatInfo&)) {
    std::vector<TensorType> types;
    for (const FormatInfo& format : formats()) {
        if (format.usable() && can_quantize(format.type()) && wanted(format)) types.push_back(format.type());
    }
    return types;
}

void check_types(const std::vector<TensorType>& types) {
    const std::string before(quant::simd_target());
    REQUIRE(std::ranges::count(quant::simd_targets(), "scalar") == 1);
    for (const TensorType type : types) {
        CAPTURE(format_of(type).name);
        for (const Rows& rows : all_rows(format_of(type))) {
            CAPTURE(rows.name);
            const auto weights = made_up_importance(rows.ne0);
            for (const auto& importance : {std::span<const float>{}, std::span(weights)}) {
                for (const Effort effort : {Effort::normal, Effort::fast, Effort::max}) {
                    if (effort != Effort::normal && rows.ne0 > narrow * format_of(type).block_elements)
                        continue;  // for time
                    CAPTURE(static_cast<int>(effort));
                    check_targets(type, rows, importance, effort);
                }
            }
        }
    }
    REQUIRE(quant::use_simd_target(before));
}

}  // namespace

// Cases of several types each, so that they run side by side.
TEST_CASE("the bytes of k-quants are the same for every target, and for rows one by one") {
    MESSAGE(fmt::format("targets: {}", fmt::join(quant::simd_targets(), " ")));
    check_types(quantizable_types([](const FormatInfo& format) { return format.family == Family::k; }));
}

TEST_CASE("the bytes of IQ1 and IQ2 types are the same for every target, and for rows one by one") {
    check_types(quantizable_types([](const FormatInfo& format) {
        return format.family == Family::iq && (format.name.starts_with("IQ1") || format.name.starts_with("IQ2"));
    }));
}

TEST_CASE("the bytes of other codebook types are the same for every target, and for rows one by one") {
    check_types(quantizable_types([](const FormatInfo& format) {
        return format.family == Family::iq && !format.name.starts_with("IQ1") && !format.name.starts_with("IQ2");
    }));
}

TEST_CASE("the bytes of all other types are the same for every target, and for rows one by one") {
    check_types(quantizable_types(
        [](const FormatInfo& format) { return format.family != Family::k && format.family != Family::iq; }));
}

TEST_CASE("every type decodes to the same numbers on every target") {
    const std::string before(quant::simd_target());
    for (const FormatInfo& format : formats()) {
        if (!format.usable() || !can_dequantize(format.type())) continue;
        CAPTURE(format.name);
        const auto blocks = test::random_blocks(format, 101, format.id);
        REQUIRE(quant::use_simd_target("scalar"));
        const auto expected = decode(format.type(), blocks);
        for (const std::string_view target : quant::simd_targets()) {
            CAPTURE(target);
            REQUIRE(quant::use_simd_target(target));
            CHECK(same_bits(decode(format.type(), blocks), expected));
        }
    }
    REQUIRE(quant::use_simd_target(before));
}

TEST_CASE("every type's blocks come apart into codes of its range, on every target") {
    const std::string before(quant::simd_target());
    const auto codes = std::make_unique<quant::Codes>();
    for (const FormatInfo& format : formats()) {
        if (!format.usable() || !format.quantized() || !can_dequantize(format.type())) continue;
        CAPTURE(format.name);
        const std::size_t n = 3 * quant::Codes::most / 4 / format.block_elements;
        const auto blocks = test::random_blocks(format, n, format.id);
        for (const std::string_view target : quant::simd_targets()) {
            CAPTURE(target);
            REQUIRE(quant::use_simd_target(target));
            auto* const unpack = quant::find_kernels(format.type())->unpack;
            REQUIRE((unpack != nullptr));
            unpack(blocks.data(), n, *codes);
            CHECK(codes->count == n * format.block_elements);
            const auto [least, most] = std::minmax_element(codes->codes, codes->codes + codes->count);
            CHECK(*least >= codes->groups.least);
            CHECK(*most <= codes->groups.most);
        }
    }
    REQUIRE(quant::use_simd_target(before));
}

TEST_CASE("all halves, and floats around where they round, are converted on every target as one by one") {
    const std::string before(quant::simd_target());
    std::vector<std::uint16_t> halves(65536);
    for (std::size_t i = 0; i < halves.size(); ++i) halves[i] = static_cast<std::uint16_t>(i);
    std::vector<float> of_halves, of_bfloats, near;
    for (const std::uint16_t half : halves) {
        of_halves.push_back(half_to_float(half));
        of_bfloats.push_back(bfloat_to_float(half));
        for (const float value : {of_halves.back(), of_bfloats.back()}) {
            const auto bits = std::bit_cast<std::uint32_t>(value);
            if ((bits & 0x7f800000u) == 0x7f800000u) continue;  // quantize_rows() refuses NaN and infinities
            for (const std::uint32_t step : {0u, 1u, 0xfffu, 0x1000u, 0x1001u, 0x7fffu, 0x8000u, 0x8001u}) {
                const float next = std::bit_cast<float>(bits + step);
                if (std::abs(next) < 65519) near.push_back(next);
            }
        }
    }
    near.resize(near.size() / 3 * 3);
    std::vector<std::uint16_t> as_halves(near.size()), as_bfloats(near.size());
    std::ranges::transform(near, as_halves.begin(), float_to_half);
    std::ranges::transform(near, as_bfloats.begin(), float_to_bfloat);
    for (const std::string_view target : quant::simd_targets()) {
        CAPTURE(target);
        REQUIRE(quant::use_simd_target(target));
        CHECK(same_bits(decode(TensorType::F16, std::as_bytes(std::span(halves))), of_halves));
        CHECK(same_bits(decode(TensorType::BF16, std::as_bytes(std::span(halves))), of_bfloats));
        std::vector<std::byte> shifted(2 * halves.size() + 1);  // at an odd address, as in a mapped file
        std::ranges::copy(std::as_bytes(std::span(halves)), shifted.begin() + 1);
        CHECK(same_bits(decode(TensorType::F16, std::span(shifted).subspan(1)), of_halves));
        CHECK(same_bits(decode(TensorType::BF16, std::span(shifted).subspan(1)), of_bfloats));
        for (const auto& [type, expected] :
             {std::pair(TensorType::F16, &as_halves), std::pair(TensorType::BF16, &as_bfloats)}) {
            const auto bytes = std::as_bytes(std::span(*expected));
            CHECK(std::ranges::equal(encode(type, near, near.size() / 3, {}, Effort::normal), bytes));
        }
    }
    REQUIRE(quant::use_simd_target(before));
}
