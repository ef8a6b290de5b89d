#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/k/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/dequantize_run.hpp"
#include "quant/k/blocks.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

static void decode(const BlockQ2_K& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    const float dmin = b.dmin.get();
    for (int k = 0; k < 16; ++k) {  // plane k/2 % 4 of half k/8
        const float scale = d * static_cast<float>(b.scales[k] & 15);
        const float min = dmin * static_cast<float>(b.scales[k] >> 4);
        const std::uint8_t* qs = b.qs + 32 * (k / 8) + 16 * (k % 2);
        const int shift = 2 * (k / 2 % 4);
        for (int i = 0; i < 16; ++i) x[16 * k + i] = scale * static_cast<float>(qs[i] >> shift & 3) - min;
    }
}

static void decode(const BlockQ3_K& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int k = 0; k < 16; ++k) {
        const float scale = d * static_cast<float>(b.scales.scale(k));
        const std::uint8_t* qs = b.qs + 32 * (k / 8) + 16 * (k % 2);
        const std::uint8_t* hmask = b.hmask + 16 * (k % 2);
        const int shift = 2 * (k / 2 % 4);
        for (int i = 0; i < 16; ++i) {
            const int code = (qs[i] >> shift & 3) | (hmask[i] >> (k / 2) & 1) << 2;
            x[16 * k + i] = scale * static_cast<float>(code - 4);
        }
    }
}

static void decode(const BlockQ4_K& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    const float dmin = b.dmin.get();
    for (int k = 0; k < 8; k += 2) {  // two sub-blocks share their bytes
        const float scale[2] = {d * static_cast<float>(b.scales.scale(k)),
                                d * static_cast<float>(b.scales.scale(k + 1))};
        const float min[2] = {dmin * static_cast<float>(b.scales.min(k)),
                              dmin * static_cast<float>(b.scales.min(k + 1))};
        const std::uint8_t* qs = b.qs + 16 * k;
        for (int i = 0; i < 32; ++i) x[32 * k + i] = scale[0] * static_cast<float>(qs[i] & 15) - min[0];
        for (int i = 0; i < 32; ++i) x[32 * k + 32 + i] = scale[1] * static_cast<float>(qs[i] >> 4) - min[1];
    }
}

static void decode(const BlockQ5_K& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    const float dmin = b.dmin.get();
    for (int k = 0; k < 8; ++k) {
        const float scale = d * static_cast<float>(b.scales.scale(k));
        const float min = dmin * static_cast<float>(b.scales.min(k));
        const std::uint8_t* qs = b.qs + 32 * (k / 2);
        const int shift = 4 * (k % 2);
        for (int i = 0; i < 32; ++i) {
            const int code = (qs[i] >> shift & 15) | (b.qh[i] >> k & 1) << 4;
            x[32 * k + i] = scale * static_cast<float>(code) - min;
        }
    }
}

static void decode(const BlockQ6_K& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int k = 0; k < 16; ++k) {
        const int half = k / 8;       // of 128 elements: 64 bytes of ql, 32 bytes of qh
        const int plane = k / 2 % 4;  // of 32 elements
        const float scale = d * static_cast<float>(b.scales[k]);
        const std::uint8_t* ql = b.ql + 64 * half + 16 * (k % 4);
        const std::uint8_t* qh = b.qh + 32 * half + 16 * (k % 2);
        for (int i = 0; i < 16; ++i) {
            const int code = (ql[i] >> (4 * (plane / 2)) & 15) | (qh[i] >> (2 * plane) & 3) << 4;
            x[16 * k + i] = scale * static_cast<float>(code - 32);
        }
    }
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
