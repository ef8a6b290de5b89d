// The fused multiply-add that searches use: rounded once on every target, whether or not its CPUs have one.
#define HWY_TARGET_INCLUDE "quant/fused_test.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/search/lanes-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// c[i] becomes a[i] * b[i] + c[i], sixteen of them.
void fuse_some(const float* a, const float* b, float* c) {
    for (int i = 0; i < batch_size; i += lane_count) {
        hn::StoreU(fused(hn::LoadU(tag, a + i), hn::LoadU(tag, b + i), hn::LoadU(tag, c + i)), tag, c + i);
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
#include <doctest/doctest.h>

#include <bit>
#include <cmath>
#include <random>
#include <string>

#include "quant/simd/target.hpp"

namespace ggufkit::quant {
namespace {

HWY_EXPORT(fuse_some);

constexpr int count = HWY_STATIC_DISPATCH(batch_size);

struct Triple {
    float a, b, c;
};

void check_all(const Triple (&triples)[count]) {
    for (const std::string_view target : simd_targets()) {
        INFO("target ", std::string(target));
        REQUIRE(use_simd_target(target));
        float a[count], b[count], c[count];
        for (int i = 0; i < count; ++i) a[i] = triples[i].a, b[i] = triples[i].b, c[i] = triples[i].c;
        HWY_DYNAMIC_DISPATCH(fuse_some)(a, b, c);
        for (int i = 0; i < count; ++i) {
            const auto& [x, y, z] = triples[i];
            INFO(x, " * ", y, " + ", z);
            REQUIRE(std::bit_cast<std::uint32_t>(c[i]) == std::bit_cast<std::uint32_t>(std::fma(x, y, z)));
        }
    }
    use_simd_target(simd_targets().front());
}

TEST_CASE("a fused multiply-add is rounded once, on every target") {
    std::mt19937 random(1);
    std::uniform_int_distribution<std::uint32_t> bits;
    const auto number = [&](int least, int most) {
        const auto exponent =
            static_cast<std::uint32_t>(std::uniform_int_distribution(127 + least, 127 + most)(random));
        return std::bit_cast<float>((bits(random) & 0x807fffff) | exponent << 23);
    };
    for (int round = 0; round < 20'000; ++round) {
        Triple some[count];
        for (Triple& t : some) {
            t = {number(-12, 12), number(-12, 12), 0};
            switch (random() % 4) {
                case 0: t.c = number(-30, 30); break;
                case 1: t.c = -t.a * t.b; break;  // what is left is what rounding lost
                case 2: t.c = t.a * t.b * 0x1p24f; break;
                default:  // subnormal numbers
                    t = {number(-66, -60), number(-66, -60), std::bit_cast<float>(bits(random) & 0x80ffffff)};
            }
        }
        check_all(some);
    }
}

TEST_CASE("a fused multiply-add is on the right side of a tie, by a part that binary64 has no room for") {
    Triple some[count];
    const float above = 1 + 0x1p-23f, below = 1 - 0x1p-23f;  // their product is 1 - 2^-46
    int i = 0;
    for (const float sign : {1.0f, -1.0f}) {
        for (const float by : {1.0f, -1.0f}) {
            for (const float c : {0x1p24f, 0x1p24f + 2, 0x1p25f - 2, 0x1p25f})
                some[i++] = {sign * above, by * below, c};
        }
    }
    REQUIRE(i == count);
    const float c = 0x1p24f + 2;
    REQUIRE(static_cast<float>(static_cast<double>(above) * below + c) != std::fma(above, below, c));
    check_all(some);
}

}  // namespace
}  // namespace ggufkit::quant
#endif
