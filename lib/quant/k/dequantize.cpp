#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/k/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/dequantize_run.hpp"
#include "quant/k/blocks.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// n codes of a sub-block with a min.
template <int n>
HWY_INLINE void scale_codes(const std::uint8_t* codes, float scale, float min, float* x) {
    for (int i = 0; i < n; i += number_count) {
        const NumberLanes code = numbers_of(words_at(codes + i));
        hn::StoreU(hn::Set(numbers, scale) * code - hn::Set(numbers, min), numbers, x + i);
    }
}
// Sixteen values, stored with half their range added.
template <int half_range>
HWY_INLINE void scale_values(const std::uint8_t* codes, float scale, float* x) {
    for (int i = 0; i < 16; i += number_count) {
        const WordLanes value = words_at(codes + i) - hn::Set(words, half_range);
        hn::StoreU(hn::Set(numbers, scale) * numbers_of(value), numbers, x + i);
    }
}

static void decode(const BlockQ2_K& b, float* HWY_RESTRICT x) {
    std::uint8_t codes[256];
    unpack_planes<2, 32>(b.qs, codes);
    float scales[32];  // and mins
    const auto d = hn::Set(numbers, b.d.get()), dmin = hn::Set(numbers, b.dmin.get());
    for_nibbles<32>(b.scales, [&](WordLanes code, int k) {
        hn::StoreU((k < 16 ? d : dmin) * numbers_of(code), numbers, scales + k);
    });
    for (int k = 0; k < 16; ++k) scale_codes<16>(codes + 16 * k, scales[k], scales[16 + k], x + 16 * k);
}

static void decode(const BlockQ3_K& b, float* HWY_RESTRICT x) {
    std::uint8_t codes[256], scale_bytes[16];
    unpack_planes<2, 32>(b.qs, codes);
    unpack_planes<1, 32, 2>(b.hmask, codes);
    b.scales.get(scale_bytes);
    float scales[16];
    scale_values<32>(scale_bytes, b.d.get(), scales);
    for (int k = 0; k < 16; ++k) scale_values<4>(codes + 16 * k, scales[k], x + 16 * k);
}

// Q4_K and what Q5_K has of it.
template <class Block>
HWY_INLINE void scale_sub_blocks(const Block& b, const std::uint8_t* codes, float* x) {
    std::uint8_t scale_bytes[8], min_bytes[8];
    b.scales.get(scale_bytes, min_bytes);
    float scales[8], mins[8];
    scale_codes<8>(scale_bytes, b.d.get(), scales);
    scale_codes<8>(min_bytes, b.dmin.get(), mins);
    for (int k = 0; k < 8; ++k) scale_codes<32>(codes + 32 * k, scales[k], mins[k], x + 32 * k);
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
    std::uint8_t codes[256];
    unpack_planes<4, 64>(b.ql, codes);
    unpack_planes<2, 32, 4>(b.qh, codes);
    float scales[16];
    scale_codes<16>(b.scales, b.d.get(), scales);
    for (int k = 0; k < 16; ++k) scale_values<32>(codes + 16 * k, scales[k], x + 16 * k);
}

static void decode(const BlockQ8_K& b, float* HWY_RESTRICT x) { scale_codes<256>(b.qs, b.d.get(), x); }

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
