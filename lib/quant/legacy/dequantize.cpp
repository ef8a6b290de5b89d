#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/legacy/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/dequantize_run.hpp"
#include "quant/legacy/blocks.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// Word j is bit j.
struct SingleBits {
    alignas(64) std::int32_t bit[32];
    constexpr SingleBits() : bit{} {
        for (int j = 0; j < 32; ++j) bit[j] = static_cast<std::int32_t>(std::uint32_t{1} << j);
    }
};
static constexpr SingleBits single_bits;

// 16 where bit j, j + 1, ... of `high` is set: bit 4 of codes.
HWY_INLINE WordLanes fifth_bits(std::uint32_t high, int j) {
    return hn::IfThenElseZero(
        hn::TestBit(hn::Set(words, static_cast<std::int32_t>(high)), hn::Load(words, single_bits.bit + j)),
        hn::Set(words, 16));
}

static void decode(const BlockQ4_0& b, float* HWY_RESTRICT x) {
    const auto d = hn::Set(numbers, b.d.get());
    for_nibbles<32>(
        b.qs, [&](WordLanes code, int j) { hn::StoreU(numbers_of(code - hn::Set(words, 8)) * d, numbers, x + j); });
}

static void decode(const BlockQ4_1& b, float* HWY_RESTRICT x) {
    const auto d = hn::Set(numbers, b.d.get());
    const auto m = hn::Set(numbers, b.m.get());
    for_nibbles<32>(b.qs, [&](WordLanes code, int j) { hn::StoreU(numbers_of(code) * d + m, numbers, x + j); });
}

static void decode(const BlockQ5_0& b, float* HWY_RESTRICT x) {
    const auto d = hn::Set(numbers, b.d.get());
    const std::uint32_t high = b.qh.get();
    for_nibbles<32>(b.qs, [&](WordLanes low, int j) {
        const WordLanes code = hn::Or(low, fifth_bits(high, j));
        hn::StoreU(numbers_of(code - hn::Set(words, 16)) * d, numbers, x + j);
    });
}

static void decode(const BlockQ5_1& b, float* HWY_RESTRICT x) {
    const auto d = hn::Set(numbers, b.d.get());
    const auto m = hn::Set(numbers, b.m.get());
    const std::uint32_t high = b.qh.get();
    for_nibbles<32>(b.qs, [&](WordLanes low, int j) {
        hn::StoreU(numbers_of(hn::Or(low, fifth_bits(high, j))) * d + m, numbers, x + j);
    });
}

static void decode(const BlockQ8_0& b, float* HWY_RESTRICT x) { scale_codes<32>(b.qs, b.d.get(), x); }

static void decode(const BlockQ8_1& b, float* HWY_RESTRICT x) { scale_codes<32>(b.qs, b.d.get(), x); }

void dequantize_legacy(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    switch (type) {
        case TensorType::Q4_0: return decode_run<BlockQ4_0, decode>(blocks, n_blocks, out);
        case TensorType::Q4_1: return decode_run<BlockQ4_1, decode>(blocks, n_blocks, out);
        case TensorType::Q5_0: return decode_run<BlockQ5_0, decode>(blocks, n_blocks, out);
        case TensorType::Q5_1: return decode_run<BlockQ5_1, decode>(blocks, n_blocks, out);
        case TensorType::Q8_0: return decode_run<BlockQ8_0, decode>(blocks, n_blocks, out);
        case TensorType::Q8_1: return decode_run<BlockQ8_1, decode>(blocks, n_blocks, out);
        default: return;
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_legacy);
void dequantize_legacy(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_legacy)(type, blocks, n_blocks, out);
}

}  // namespace ggufkit::quant
#endif
