#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/legacy/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/dequantize_run.hpp"
#include "quant/legacy/blocks.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// Bit j of `high`, moved to bit 4.
static constexpr int fifth_bit(std::uint32_t high, int j) { return static_cast<int>(high >> j & 1u) << 4; }

static void decode(const BlockQ4_0& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int j = 0; j < 16; ++j) x[j] = static_cast<float>((b.qs[j] & 15) - 8) * d;
    for (int j = 0; j < 16; ++j) x[j + 16] = static_cast<float>((b.qs[j] >> 4) - 8) * d;
}

static void decode(const BlockQ4_1& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    const float m = b.m.get();
    for (int j = 0; j < 16; ++j) x[j] = static_cast<float>(b.qs[j] & 15) * d + m;
    for (int j = 0; j < 16; ++j) x[j + 16] = static_cast<float>(b.qs[j] >> 4) * d + m;
}

static void decode(const BlockQ5_0& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    const std::uint32_t high = b.qh.get();
    for (int j = 0; j < 16; ++j) {
        x[j] = static_cast<float>(((b.qs[j] & 15) | fifth_bit(high, j)) - 16) * d;
        x[j + 16] = static_cast<float>((b.qs[j] >> 4 | fifth_bit(high, j + 16)) - 16) * d;
    }
}

static void decode(const BlockQ5_1& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    const float m = b.m.get();
    const std::uint32_t high = b.qh.get();
    for (int j = 0; j < 16; ++j) {
        x[j] = static_cast<float>((b.qs[j] & 15) | fifth_bit(high, j)) * d + m;
        x[j + 16] = static_cast<float>(b.qs[j] >> 4 | fifth_bit(high, j + 16)) * d + m;
    }
}

static void decode(const BlockQ8_0& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int j = 0; j < 32; ++j) x[j] = static_cast<float>(b.qs[j]) * d;
}

static void decode(const BlockQ8_1& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int j = 0; j < 32; ++j) x[j] = static_cast<float>(b.qs[j]) * d;
}

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
