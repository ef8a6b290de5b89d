#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <initializer_list>
#include <limits>

#include "core/half.hpp"

using namespace ggufkit;

namespace {

// A 16-bit float by its definition: `mantissa` stored bits, the rest exponent, one sign.
double value_of(std::uint32_t bits, int mantissa_bits) {
    const int exponent_bits = 15 - mantissa_bits;
    const int bias = (1 << (exponent_bits - 1)) - 1;
    const int exponent = static_cast<int>(bits >> mantissa_bits) & ((1 << exponent_bits) - 1);
    const int mantissa = static_cast<int>(bits) & ((1 << mantissa_bits) - 1);
    const double sign = (bits >> 15 & 1u) != 0 ? -1.0 : 1.0;
    if (exponent == (1 << exponent_bits) - 1) {
        return mantissa == 0 ? sign * std::numeric_limits<double>::infinity()
                             : std::numeric_limits<double>::quiet_NaN();
    }
    const int leading = exponent == 0 ? 0 : 1 << mantissa_bits;
    return sign * std::ldexp(mantissa + leading, (exponent == 0 ? 1 : exponent) - bias - mantissa_bits);
}

bool same(float a, double b) {
    if (std::isnan(b)) return std::isnan(a);
    return static_cast<double>(a) == b && std::signbit(a) == std::signbit(b);
}

struct Kind {
    float (*widen)(std::uint16_t);
    std::uint16_t (*narrow)(float);
    int mantissa_bits;
    std::uint16_t infinity;
};
constexpr Kind f16{half_to_float, float_to_half, 10, 0x7c00};
constexpr Kind bf16{bfloat_to_float, float_to_bfloat, 7, 0x7f80};

// How many of all 65,536 numbers do not survive.
int count_wrong_round_trips(const Kind& kind) {
    int wrong = 0;
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto number = static_cast<std::uint16_t>(bits);
        const float wide = kind.widen(number);
        wrong += !same(wide, value_of(bits, kind.mantissa_bits));
        const std::uint16_t back = kind.narrow(wide);
        const bool nan = std::isnan(wide);
        wrong += nan ? !std::isnan(kind.widen(back)) : back != number;
    }
    return wrong;
}

// Between every two neighbours: what is nearer to one becomes that one, the middle becomes the even one.
int count_wrong_roundings(const Kind& kind) {
    int wrong = 0;
    for (std::uint32_t bits = 0; bits < kind.infinity; ++bits) {
        const auto low = static_cast<std::uint16_t>(bits);
        const auto high = static_cast<std::uint16_t>(bits + 1);
        const double below = value_of(low, kind.mantissa_bits);
        // The neighbour of the largest number is the power of two that would come next.
        const double above =
            high == kind.infinity ? std::ldexp(1.0, std::ilogb(below) + 1) : value_of(high, kind.mantissa_bits);
        const auto middle = static_cast<float>(below + (above - below) / 2);
        const std::uint16_t even = bits % 2 == 0 ? low : high;
        for (const std::uint16_t sign : {std::uint16_t{0}, std::uint16_t{0x8000}}) {
            const auto narrow = [&](float magnitude) { return kind.narrow(sign != 0 ? -magnitude : magnitude) ^ sign; };
            wrong += narrow(middle) != even;
            wrong += narrow(std::nextafter(middle, 0.0f)) != low;
            wrong += narrow(std::nextafter(middle, std::numeric_limits<float>::max())) != high;
        }
    }
    return wrong;
}

}  // namespace

TEST_CASE("a half that stands alone is the same number") {
    for (std::uint32_t bits = 0; bits < 0x10000; ++bits) {
        const auto half = static_cast<std::uint16_t>(bits);
        CHECK(std::bit_cast<std::uint32_t>(lone_half_to_float(half)) ==
              std::bit_cast<std::uint32_t>(half_to_float(half)));
    }
}

TEST_CASE("every half widens to its value and narrows back to itself") { CHECK(count_wrong_round_trips(f16) == 0); }
TEST_CASE("every bfloat widens to its value and narrows back to itself") { CHECK(count_wrong_round_trips(bf16) == 0); }
TEST_CASE("floats round to the nearest half, ties to even") { CHECK(count_wrong_roundings(f16) == 0); }
TEST_CASE("floats round to the nearest bfloat, ties to even") { CHECK(count_wrong_roundings(bf16) == 0); }

TEST_CASE("the edges of the range of halves") {
    CHECK(float_to_half(65504.0f) == 0x7bff);
    CHECK(float_to_half(65519.996f) == 0x7bff);
    CHECK(float_to_half(65520.0f) == 0x7c00);
    CHECK(float_to_half(std::numeric_limits<float>::max()) == 0x7c00);
    CHECK(float_to_half(-std::numeric_limits<float>::infinity()) == 0xfc00);
    CHECK(float_to_half(0x1p-24f) == 0x0001);
    CHECK(float_to_half(0x1p-25f) == 0x0000);
    CHECK(float_to_half(0x1.000002p-25f) == 0x0001);
    CHECK(float_to_half(std::numeric_limits<float>::denorm_min()) == 0x0000);
    CHECK(float_to_half(-0.0f) == 0x8000);
}
