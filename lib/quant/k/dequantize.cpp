#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/k/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/dequantize_run.hpp"
#include "quant/k/blocks.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// n codes of a sub-block.
template <int n>
HWY_INLINE void scale_codes(const std::uint8_t* codes, float scale, float min, float* x) {
    for (int i = 0; i < n; i += number_count) {
        const NumberLanes code = numbers_of(words_at(codes + i));
        hn::StoreU(hn::Set(numbers, scale) * code - hn::Set(numbers, min), numbers, x + i);
    }
}
template <int half_range>
HWY_INLINE void scale_values(const std::uint8_t* codes, float scale, float* x) {
    for (int i = 0; i < 16; i += number_count) {
        const WordLanes value = words_at(codes + i) - hn::Set(words, half_range);
        hn::StoreU(hn::Set(numbers, scale) * numbers_of(value), numbers, x + i);
    }
}

static void decode(const BlockQ2_K& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    const float dmin = b.dmin.get();
    std::uint8_t codes[256];
    unpack_planes<2, 32>(b.qs, codes);
    for (int k = 0; k < 16; ++k) {
        const float scale = d * static_cast<float>(b.scales[k] & 15);
        const float min = dmin * static_cast<float>(b.scales[k] >> 4);
        scale_codes<16>(codes + 16 * k, scale, min, x + 16 * k);
    }
}

static void decode(const BlockQ3_K& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    std::uint8_t codes[256];
    unpack_planes<2, 32>(b.qs, codes);
    unpack_planes<1, 32, 2>(b.hmask, codes);
    for (int k = 0; k < 16; ++k) {
        scale_values<4>(codes + 16 * k, d * static_cast<float>(b.scales.scale(k)), x + 16 * k);
    }
}

// Q4_K and what Q5_K has of it.
template <class Block>
HWY_INLINE void scale_sub_blocks(const Block& b, const std::uint8_t* codes, float* x) {
    const float d = b.d.get();
    const float dmin = b.dmin.get();
    for (int k = 0; k < 8; ++k) {
        const float scale = d * static_cast<float>(b.scales.scale(k));
        const float min = dmin * static_cast<float>(b.scales.min(k));
        scale_codes<32>(codes + 32 * k, scale, min, x + 32 * k);
    }
}

static void decode(const BlockQ4_K& b, float* HWY_RESTRICT x) {
    std::uint8_t codes[256];
    unpack_planes<4, 32>(b.qs, codes);
    scale_sub_blocks(b, codes, x);
}

static void decode(const BlockQ5_K& b, float* HWY_RESTRICT x) {
    std::uint8_t codes[256];
    unpack_planes<4, 32>(b.qs, codes);
    unpack_planes<1, 32, 4>(b.qh, codes);
    scale_sub_blocks(b, codes, x);
}

static void decode(const BlockQ6_K& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    std::uint8_t codes[256];
    unpack_planes<4, 64>(b.ql, codes);
    unpack_planes<2, 32, 4>(b.qh, codes);
    for (int k = 0; k < 16; ++k) scale_values<32>(codes + 16 * k, d * static_cast<float>(b.scales[k]), x + 16 * k);
}

static void decode(const BlockQ8_K& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int j = 0; j < 256; ++j) x[j] = static_cast<float>(b.qs[j]) * d;
}

void dequantize_k(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    switch (type) {
        case TensorType::Q2_K: return decode_run<BlockQ2_K, decode>(blocks, n_blocks, out);
        case TensorType::Q3_K: return decode_run<BlockQ3_K, decode>(blocks, n_blocks, out);
        case TensorType::Q4_K: return decode_run<BlockQ4_K, decode>(blocks, n_blocks, out);
        case TensorType::Q5_K: return decode_run<BlockQ5_K, decode>(blocks, n_blocks, out);
        case TensorType::Q6_K: return decode_run<BlockQ6_K, decode>(blocks, n_blocks, out);
        case TensorType::Q8_K: return decode_run<BlockQ8_K, decode>(blocks, n_blocks, out);
        default: return;
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_k);
void dequantize_k(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_k)(type, blocks, n_blocks, out);
}

}  // namespace ggufkit::quant
#endif
