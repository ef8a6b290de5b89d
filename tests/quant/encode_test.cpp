// What quantize_rows() promises for every type, and the types whose encoders only round.
#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <ggufkit/quant/quantize.hpp>
#include <limits>
#include <vector>

#include "support/random_blocks.hpp"

using namespace ggufkit;

namespace {

constexpr float nan_value = std::numeric_limits<float>::quiet_NaN();
constexpr float infinity = std::numeric_limits<float>::infinity();

std::vector<TensorType> quantizable_types() {
    std::vector<TensorType> types;
    for (const FormatInfo& format : formats()) {
        if (format.usable() && can_quantize(format.type())) types.push_back(format.type());
    }
    return types;
}

std::vector<float> random_values(std::size_t n, std::uint64_t seed) {
    test::Random random(seed);
    std::vector<float> values(n);
    for (float& value : values) value = random.unit() + random.unit() - random.unit() - random.unit();
    return values;
}

Result<std::vector<std::byte>> encode(TensorType type, std::span<const float> values, std::size_t ne0,
                                      std::span<const float> importance = {}) {
    const FormatInfo& format = format_of(type);
    std::vector<std::byte> out(values.size() / format.block_elements * format.block_bytes);
    return quantize_rows(type, values, ne0, out, importance).map([&] { return out; });
}

}  // namespace

TEST_CASE("which types can be made") {
    using enum TensorType;
    for (const FormatInfo& format : formats()) {
        if (!format.quantized() || format.standing != Standing::active) continue;
        CHECK_MESSAGE(can_quantize(format.type()), format.name);
    }
    for (const TensorType type : {F32, F16, BF16}) CHECK(can_quantize(type));
    for (const TensorType type : {Q8_1, Q8_K, I32, F64}) {
        CHECK(encode(type, random_values(256, 1), 256).error().code == Errc::unsupported);
    }
}

TEST_CASE("each row is encoded for itself") {
    for (const TensorType type : quantizable_types()) {
        CAPTURE(format_of(type).name);
        const auto values = random_values(1536, 2);
        std::vector<float> importance(512);
        test::Random random(3);
        for (float& weight : importance) weight = random.unit();
        for (const auto& weights : {std::span<const float>{}, std::span<const float>(importance)}) {
            const auto all = encode(type, values, 512, weights);
            REQUIRE(all);
            std::vector<std::byte> one_by_one;
            for (std::size_t row = 0; row < 3; ++row) {
                const auto bytes = encode(type, std::span(values).subspan(row * 512, 512), 512, weights);
                REQUIRE(bytes);
                one_by_one.insert(one_by_one.end(), bytes->begin(), bytes->end());
            }
            CHECK(*all == one_by_one);
        }
    }
}

TEST_CASE("a value that is NaN or infinite is named") {
    for (const TensorType type : quantizable_types()) {
        CAPTURE(format_of(type).name);
        for (const float bad : {nan_value, infinity, -infinity}) {
            for (const std::size_t at : {0u, 255u, 256u, 600u, 767u}) {
                auto values = random_values(768, 4);
                values[at] = bad;
                const auto result = encode(type, values, 256);
                REQUIRE(!result);
                CHECK(result.error().code == Errc::bad_quant);
                CHECK(result.error().offset == at);
            }
        }
    }
}

TEST_CASE("a block whose scale would be infinite is refused") {
    for (const TensorType type : quantizable_types()) {
        if (type == TensorType::F32) continue;
        CAPTURE(format_of(type).name);
        auto values = random_values(1024, 5);
        values[700] = std::numeric_limits<float>::max();
        values[701] = std::numeric_limits<float>::lowest();
        const auto result = encode(type, values, 512);
        REQUIRE(!result);
        CHECK(result.error().code == Errc::bad_quant);
        // Scales of four-bit floats are always finite: there the value itself is found.
        const std::size_t block = format_of(type).family == Family::fp4 ? 1 : format_of(type).block_elements;
        CHECK(result.error().offset == 700 / block * block);
    }
}

TEST_CASE("what a type cannot hold is refused, and what it takes is not cut off, in every type") {
    for (const TensorType type : quantizable_types()) {
        CAPTURE(format_of(type).name);
        for (float peak = 1; peak < std::numeric_limits<float>::max() / 10; peak *= 3) {
            CAPTURE(peak);
            std::vector<float> values(256), copy(256);
            for (std::size_t i = 0; i < values.size(); ++i) values[i] = i % 2 == 0 ? peak : -peak;
            const auto result = encode(type, values, 256);
            if (!result) {
                CHECK(result.error().code == Errc::bad_quant);
                CHECK(result.error().detail.starts_with("values too large: "));
                CHECK(peak > 2688);
                continue;
            }
            REQUIRE(dequantize_rows(type, *result, copy));
            double lost = 0, all = 0;
            for (std::size_t i = 0; i < values.size(); ++i) {
                const double w = values[i] / peak, v = copy[i] / peak;
                lost += (v - w) * (v - w);
                all += w * w;
            }
            CHECK(lost < 0.5 * all);
        }
    }
}

TEST_CASE("NVFP4 and MXFP4 take their largest value and refuse the next one") {
    for (const auto& [type, largest] :
         {std::pair(TensorType::NVFP4, 2688.0f), std::pair(TensorType::MXFP4, 0x1.8p127f)}) {
        CAPTURE(format_of(type).name);
        std::vector<float> values(64, largest), copy(64);
        values[7] = -largest;
        const auto result = encode(type, values, 64);
        REQUIRE_MESSAGE(result, result.error().message());
        REQUIRE(dequantize_rows(type, *result, copy));
        CHECK(copy == values);
        values[9] = std::nextafter(-largest, -std::numeric_limits<float>::infinity());
        const auto refused = encode(type, values, 64);
        REQUIRE(!refused);
        CHECK(refused.error().code == Errc::bad_quant);
        CHECK(refused.error().offset == 9);
        CHECK(refused.error().detail.starts_with("values too large: value 9 of its row is -"));
    }
}

TEST_CASE("encoding refuses sizes that do not agree") {
    const auto values = random_values(512, 6);
    std::vector<std::byte> out(288);
    const auto code = [&](std::size_t n, std::size_t ne0, std::size_t bytes, std::size_t weights = 0) {
        const auto result = quantize_rows(TensorType::Q4_K, std::span(values).first(n), ne0,
                                          std::span(out).first(bytes), std::span(values).first(weights));
        return result ? std::optional<Errc>() : result.error().code;
    };
    CHECK(code(512, 256, 288) == std::nullopt);
    CHECK(code(0, 256, 0) == std::nullopt);
    CHECK(code(0, 0, 0) == std::nullopt);
    CHECK(code(512, 255, 288) == Errc::bad_row);
    CHECK(code(511, 256, 288) == Errc::bad_row);
    CHECK(code(512, 256, 287) == Errc::bad_row);
    CHECK(code(512, 0, 288) == Errc::bad_row);
    CHECK(code(512, 256, 288, 512) == Errc::bad_row);
}

TEST_CASE("importance has to be finite and not negative") {
    const auto values = random_values(256, 6);
    for (const float bad : {nan_value, infinity, -1.0f}) {
        std::vector<float> importance(256, 1.0f);
        importance[17] = bad;
        const auto result = encode(TensorType::Q4_K, values, 256, importance);
        REQUIRE(!result);
        CHECK(result.error().code == Errc::bad_argument);
    }
}

TEST_CASE("F32 keeps every value, F16 and BF16 keep what they can hold") {
    const std::vector<float> values{0.0f, -0.0f, 1.0f, -1.5f, 0.25f, 1024.0f, 0x1p-14f, -3.0f};
    for (const TensorType type : {TensorType::F32, TensorType::F16, TensorType::BF16}) {
        const auto bytes = encode(type, values, 4);
        REQUIRE(bytes);
        std::vector<float> back(values.size());
        REQUIRE(dequantize_rows(type, *bytes, back));
        for (std::size_t i = 0; i < values.size(); ++i) {
            CHECK(back[i] == values[i]);
            CHECK(std::signbit(back[i]) == std::signbit(values[i]));
        }
    }
}

TEST_CASE("Q8_0 rounds halves away from zero with the scale as it was before it was rounded") {
    std::vector<float> values(32, 0.0f);
    values[0] = 127.0f;
    values[1] = 0.5f;
    values[2] = -0.5f;
    values[3] = 0.49999997f;
    values[4] = -126.5f;
    values[5] = 1.4999999f;
    auto bytes = encode(TensorType::Q8_0, values, 32);
    REQUIRE(bytes);
    CHECK((*bytes)[0] == std::byte{0x00});
    CHECK((*bytes)[1] == std::byte{0x3c});  // d = 1
    const auto code = [&](std::size_t j) { return static_cast<int>(static_cast<std::int8_t>((*bytes)[2 + j])); };
    CHECK(code(0) == 127);
    CHECK(code(1) == 1);
    CHECK(code(2) == -1);
    CHECK(code(3) == 0);
    CHECK(code(4) == -127);
    CHECK(code(5) == 1);

    // 127.06 / 127 rounds down to d = 1 as a binary16, by which 1.5 would be code 2; by the exact scale it is 1.
    values[0] = 127.06f;
    values[1] = 1.5005f;
    bytes = encode(TensorType::Q8_0, values, 32);
    REQUIRE(bytes);
    CHECK((*bytes)[1] == std::byte{0x3c});
    CHECK(code(1) == 1);

    // Scales that are zero as a binary16: all codes zero where the inverse would be infinite, and no undefined
    // conversion.
    for (const float tiny : {0x1p-149f, 0x1p-140f, 0x1p-122f}) {
        values.assign(32, tiny);
        bytes = encode(TensorType::Q8_0, values, 32);
        REQUIRE(bytes);
        CHECK(std::vector(bytes->begin(), bytes->begin() + 2) == std::vector<std::byte>(2));
        CHECK(code(0) == 0);
    }
}
