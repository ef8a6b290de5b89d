#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstring>
#include <ggufkit/quant/quantize.hpp>
#include <limits>
#include <string>
#include <vector>

#include "format/blocks/fp4.hpp"
#include "format/blocks/k.hpp"
#include "quant/iq/codebooks.hpp"
#include "support/goldens.hpp"
#include "support/random_blocks.hpp"

using namespace ggufkit;
using test::random_blocks;

namespace {

std::vector<float> decode(const FormatInfo& format, std::span<const std::byte> blocks) {
    std::vector<float> values(blocks.size() / format.block_bytes * format.block_elements);
    REQUIRE(dequantize_rows(format.type(), blocks, values));
    return values;
}

std::vector<const FormatInfo*> usable_formats() {
    std::vector<const FormatInfo*> usable;
    for (const FormatInfo& format : formats()) {
        if (format.usable()) usable.push_back(&format);
    }
    return usable;
}

template <class T>
std::vector<std::byte> bytes_of(const std::vector<T>& numbers) {
    const auto bytes = std::as_bytes(std::span(numbers));
    return {bytes.begin(), bytes.end()};
}

}  // namespace

TEST_CASE("blocks decode to what the reference makes of them") {
    test::check_goldens(test::dequantize_goldens(), [](TensorType type) {
        const FormatInfo& format = format_of(type);
        return bytes_of(decode(format, random_blocks(format, test::golden_blocks, format.id)));
    });
}

// The reference has no decoder for the activation types and for numbers that are not weights.
TEST_CASE("every usable format decodes, and those without a golden as they are defined") {
    for (const FormatInfo* const format : usable_formats()) {
        CAPTURE(format->name);
        CHECK(can_dequantize(format->type()));
        const bool has_golden =
            std::ranges::count(test::dequantize_goldens(), format->type(), &test::Golden::type) == 1;
        const bool defined_here = format->standing == Standing::activation_only || format->name[0] == 'I' ||
                                  format->type() == TensorType::F64;
        CHECK((has_golden || defined_here));
    }
    const auto check = [](TensorType type, const std::vector<std::byte>& blocks, const std::vector<float>& expected) {
        CHECK(decode(format_of(type), blocks) == expected);
    };
    using std::numeric_limits;
    check(TensorType::I8, bytes_of<std::int8_t>({-128, -1, 0, 127}), {-128.0f, -1.0f, 0.0f, 127.0f});
    check(TensorType::I16, bytes_of<std::int16_t>({-32768, 258}), {-32768.0f, 258.0f});
    check(TensorType::I32, bytes_of<std::int32_t>({16777217, 16777219, -2147483647 - 1}),
          {16777216.0f, 16777220.0f, -0x1p31f});
    check(TensorType::I64, bytes_of<std::int64_t>({numeric_limits<std::int64_t>::max(), -3}), {0x1p63f, -3.0f});
    check(TensorType::F64, bytes_of<double>({0.1, -1e-300, 1e300}), {0.1f, -0.0f, numeric_limits<float>::infinity()});

    const auto& q8_1 = format_of(TensorType::Q8_1);
    auto blocks = random_blocks(q8_1, 1, 5);
    blocks[0] = std::byte{0x00};
    blocks[1] = std::byte{0xb8};  // d = -0.5
    auto values = decode(q8_1, blocks);
    for (std::size_t j = 0; j < 32; ++j)
        CHECK(values[j] == -0.5f * static_cast<float>(static_cast<std::int8_t>(blocks[4 + j])));

    const auto& q8_k = format_of(TensorType::Q8_K);
    blocks = random_blocks(q8_k, 1, 5);
    const float d = 0.1f;
    std::memcpy(blocks.data(), &d, sizeof d);
    values = decode(q8_k, blocks);
    for (std::size_t j = 0; j < 256; ++j)
        CHECK(values[j] == d * static_cast<float>(static_cast<std::int8_t>(blocks[4 + j])));
}

TEST_CASE("the codebooks are those of the format") {
    // XXH3-64 of the little-endian words, taken when their SHA-256 was compared with the reference's tables.
    constexpr std::pair<std::string_view, std::uint64_t> hashes[] = {
        {"iq2_xxs", 0xf51b46e2261aa6f7}, {"iq2_xs", 0x04776de222b6391f}, {"iq2_s", 0x8a600cbbc4756e56},
        {"iq3_xxs", 0xb2ce1c29355d92ee}, {"iq3_s", 0x589391cca4a7c8fd},  {"iq1", 0xe30b148a9865714b},
    };
    REQUIRE(quant::packed_grids().size() == std::size(hashes));
    for (std::size_t i = 0; i < std::size(hashes); ++i) {
        const auto& grid = quant::packed_grids()[i];
        CAPTURE(grid.name);
        CHECK(grid.name == hashes[i].first);
        CHECK(test::hash_of(std::as_bytes(grid.words)) == hashes[i].second);
    }
    for (unsigned code = 0; code < 128; ++code) {
        CHECK((quant::signs_of_code(code) & 127u) == code);
        CHECK(std::popcount(quant::signs_of_code(code)) % 2 == 0);
    }
}

TEST_CASE("the small floats of FP4 scales") {
    for (int bits = 0; bits < 255; ++bits) {
        CHECK(format::E8M0{static_cast<std::uint8_t>(bits)}.half() == std::ldexp(1.0f, bits - 128));
    }
    for (int bits = 0; bits < 256; ++bits) {
        CAPTURE(bits);
        const int exponent = bits >> 3 & 15;
        const int mantissa = bits & 7;
        const float value = bits == 0x7f    ? 0.0f
                            : exponent == 0 ? std::ldexp(static_cast<float>(mantissa), -9)
                                            : std::ldexp(static_cast<float>(8 + mantissa), exponent - 10);
        CHECK(format::UE4M3{static_cast<std::uint8_t>(bits)}.half() == value / 2);
    }
}

TEST_CASE("packed scales hold what was put into them") {
    test::Random random(1);
    for (int round = 0; round < 200; ++round) {
        std::uint8_t scale[8];
        std::uint8_t min[8];
        for (int k = 0; k < 8; ++k) {
            scale[k] = static_cast<std::uint8_t>(random.below(64));
            min[k] = static_cast<std::uint8_t>(random.below(64));
        }
        format::ScalesAndMins packed;
        packed.set(scale, min);
        for (int k = 0; k < 8; ++k) {
            CHECK(packed.scale(k) == scale[k]);
            CHECK(packed.min(k) == min[k]);
        }
        std::int8_t signed_scale[16];
        for (std::int8_t& s : signed_scale) s = static_cast<std::int8_t>(static_cast<int>(random.below(64)) - 32);
        format::SignedScales signed_packed;
        signed_packed.set(signed_scale);
        for (int k = 0; k < 16; ++k) CHECK(signed_packed.scale(k) == signed_scale[k]);
    }
}

TEST_CASE("check_blocks accepts every finite block") {
    for (const FormatInfo* const format : usable_formats()) {
        CAPTURE(format->name);
        CHECK(check_blocks(format->type(), random_blocks(*format, 500, 7)));
        CHECK(check_blocks(format->type(), {}));
    }
}

TEST_CASE("check_blocks finds a scale that is NaN or infinite, in whichever block and field") {
    for (const FormatInfo* const format : usable_formats()) {
        for (const Field& field : format->fields) {
            std::vector<std::pair<std::size_t, std::uint8_t>> top;  // bytes, from field.offset, and what makes them bad
            switch (field.number) {
                case Number::f16: top = {{1, 0x7c}}; break;
                case Number::bf16: top = {{1, 0x7f}, {0, 0x80}}; break;
                case Number::f32: top = {{3, 0x7f}, {2, 0x80}}; break;
                case Number::f64: top = {{7, 0x7f}, {6, 0xf0}}; break;
                case Number::e8m0: top = {{0, 0xff}}; break;
                case Number::f16_in_top_nibbles: top = {{7, 0x70}, {5, 0xc0}}; break;
                default: continue;
            }
            CAPTURE(format->name);
            CAPTURE(field.name);
            for (const std::size_t block : {0u, 1u, 41u, 99u}) {
                for (const bool negative : {false, true}) {
                    auto blocks = random_blocks(*format, 100, 9);
                    std::byte* const number = blocks.data() + block * format->block_bytes + field.offset;
                    for (const auto& [at, bits] : top) number[at] |= static_cast<std::byte>(bits);
                    if (negative) number[top[0].first] |= std::byte{0x80};
                    const auto checked = check_blocks(format->type(), blocks);
                    REQUIRE(!checked);
                    CHECK(checked.error().code == Errc::bad_quant);
                    CHECK(checked.error().offset == block * format->block_bytes);
                    CHECK(checked.error().detail.starts_with(field.name));
                    for (const auto& [at, bits] : top) {  // with any one bit less in the exponent it is a number
                        for (unsigned bit = 1; bit < 256; bit <<= 1) {
                            if ((bits & bit) == 0) continue;
                            number[at] ^= static_cast<std::byte>(bit);
                            CHECK(check_blocks(format->type(), blocks));
                            number[at] ^= static_cast<std::byte>(bit);
                        }
                    }
                }
            }
        }
    }
}

TEST_CASE("check_blocks knows which formats can hold bad scales") {
    for (const FormatInfo* const format : usable_formats()) {
        CAPTURE(format->name);
        std::vector<std::byte> ones(format->block_bytes, std::byte{0xff});
        const bool integers = format->name.size() <= 3 && format->name[0] == 'I';
        const bool any_bits = integers || format->type() == TensorType::NVFP4;
        CHECK(check_blocks(format->type(), ones).has_value() == any_bits);
        ones.push_back({});
        if (format->block_bytes > 1) CHECK(check_blocks(format->type(), ones).error().code == Errc::bad_row);
    }
}

TEST_CASE("swapping reverses every number of several bytes and nothing else") {
    for (const FormatInfo* const format : usable_formats()) {
        CAPTURE(format->name);
        const auto blocks = random_blocks(*format, 9, 11);
        auto expected = blocks;
        for (std::size_t i = 0; i < 9; ++i) {
            for (const Field& field : format->fields) {
                for (std::size_t k = 0; k < field.count; ++k) {
                    const std::size_t at = i * format->block_bytes + field.offset + k * field.stride;
                    for (std::size_t n = 0; n < field.width; ++n) expected[at + n] = blocks[at + field.width - 1 - n];
                }
            }
        }
        auto swapped = blocks;
        swap_block_bytes(*format, swapped);
        CHECK(swapped == expected);
        swap_block_bytes(*format, swapped);
        CHECK(swapped == blocks);
    }
}

TEST_CASE("decoding refuses sizes that do not agree") {
    const auto code = [](TensorType type, std::size_t bytes, std::size_t elements) {
        const std::vector<std::byte> blocks(bytes);
        std::vector<float> values(elements);
        const auto result = dequantize_rows(type, blocks, values);
        return result ? std::optional<Errc>() : result.error().code;
    };
    CHECK(code(TensorType::Q4_K, 144, 256) == std::nullopt);
    CHECK(code(TensorType::Q4_K, 0, 0) == std::nullopt);
    CHECK(code(TensorType::Q4_K, 143, 256) == Errc::bad_row);
    CHECK(code(TensorType::Q4_K, 288, 256) == Errc::bad_row);
    CHECK(code(TensorType::Q4_K, 144, 255) == Errc::bad_row);
    CHECK(code(TensorType::F16, 3, 1) == Errc::bad_row);
}

TEST_CASE("removed and foreign types are refused") {
    for (const FormatInfo& format : formats()) {
        if (format.usable()) continue;
        CAPTURE(format.name);
        CHECK(!can_dequantize(format.type()));
        CHECK(!can_quantize(format.type()));
        std::vector<std::byte> blocks(256);
        std::vector<float> values(256);
        CHECK(dequantize_rows(format.type(), blocks, values).error().code == Errc::unsupported);
        CHECK(quantize_rows(format.type(), values, 256, blocks).error().code == Errc::unsupported);
        CHECK(check_blocks(format.type(), blocks).error().code == Errc::unsupported);
    }
}
