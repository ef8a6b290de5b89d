#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/ternary/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "quant/dequantize_run.hpp"
#include "quant/ternary/blocks.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// `trits` trits of each of `n` bytes: trit t of byte m goes to x[n * t + m].
static void decode_trits(const std::uint8_t* bytes, int n, int trits, float d, float* x) {
    unsigned power = 1;
    for (int t = 0; t < trits; ++t, power *= 3) {
        for (int m = 0; m < n; ++m) {
            const unsigned fraction = bytes[m] * power & 255u;
            x[n * t + m] = static_cast<float>(static_cast<int>(fraction * 3 >> 8) - 1) * d;
        }
    }
}

static void decode(const BlockTQ1_0& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    decode_trits(b.qs, 32, 5, d, x);
    decode_trits(b.qs + 32, 16, 5, d, x + 160);
    decode_trits(b.qh, 4, 4, d, x + 240);
}

static void decode(const BlockTQ2_0& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int k = 0; k < 8; ++k) {  // plane k%4 of half k/4
        for (int i = 0; i < 32; ++i) {
            const int code = b.qs[32 * (k / 4) + i] >> (2 * (k % 4)) & 3;
            x[32 * k + i] = static_cast<float>(code - 1) * d;
        }
    }
}

static void decode(const BlockQ1_0& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int j = 0; j < 128; ++j) x[j] = static_cast<float>(2 * (b.qs[j / 8] >> (j % 8) & 1) - 1) * d;
}

static void decode(const BlockQ2_0& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    const hn::RebindToUnsigned<Words> bits;
    for (int j = 0; j < 64; j += number_count) {
        Little<std::uint32_t> sixteen;  // codes
        std::memcpy(sixteen.bytes, b.qs + j / 16 * 4, 4);
        const auto shift = hn::Iota(bits, static_cast<std::uint32_t>(j % 16));
        const auto code = hn::And(hn::Shr(hn::Set(bits, sixteen.get()), shift + shift), hn::Set(bits, 3));
        const WordLanes value = hn::BitCast(words, code) - hn::Set(words, 1);
        hn::StoreU(numbers_of(value) * hn::Set(numbers, d), numbers, x + j);
    }
}

void dequantize_ternary(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    switch (type) {
        case TensorType::TQ1_0: return decode_run<BlockTQ1_0, decode>(blocks, n_blocks, out);
        case TensorType::TQ2_0: return decode_run<BlockTQ2_0, decode>(blocks, n_blocks, out);
        case TensorType::Q1_0: return decode_run<BlockQ1_0, decode>(blocks, n_blocks, out);
        case TensorType::Q2_0: return decode_run<BlockQ2_0, decode>(blocks, n_blocks, out);
        default: return;
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_ternary);
void dequantize_ternary(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_ternary)(type, blocks, n_blocks, out);
}

}  // namespace ggufkit::quant
#endif
