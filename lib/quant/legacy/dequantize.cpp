#include "quant/dequantize_run.hpp"
#include "quant/legacy/blocks.hpp"

namespace ggufkit::quant {

// Bit j of `high`, moved to bit 4.
static constexpr int fifth_bit(std::uint32_t high, int j) { return static_cast<int>(high >> j & 1u) << 4; }

static void decode(const BlockQ4_0& b, float* x) {
    const float d = b.d.get();
    for (int j = 0; j < 16; ++j) {
        x[j] = static_cast<float>((b.qs[j] & 15) - 8) * d;
        x[j + 16] = static_cast<float>((b.qs[j] >> 4) - 8) * d;
    }
}

static void decode(const BlockQ4_1& b, float* x) {
    const float d = b.d.get();
    const float m = b.m.get();
    for (int j = 0; j < 16; ++j) {
        x[j] = static_cast<float>(b.qs[j] & 15) * d + m;
        x[j + 16] = static_cast<float>(b.qs[j] >> 4) * d + m;
    }
}

static void decode(const BlockQ5_0& b, float* x) {
    const float d = b.d.get();
    const std::uint32_t high = b.qh.get();
    for (int j = 0; j < 16; ++j) {
        x[j] = static_cast<float>(((b.qs[j] & 15) | fifth_bit(high, j)) - 16) * d;
        x[j + 16] = static_cast<float>((b.qs[j] >> 4 | fifth_bit(high, j + 16)) - 16) * d;
    }
}

static void decode(const BlockQ5_1& b, float* x) {
    const float d = b.d.get();
    const float m = b.m.get();
    const std::uint32_t high = b.qh.get();
    for (int j = 0; j < 16; ++j) {
        x[j] = static_cast<float>((b.qs[j] & 15) | fifth_bit(high, j)) * d + m;
        x[j + 16] = static_cast<float>(b.qs[j] >> 4 | fifth_bit(high, j + 16)) * d + m;
    }
}

static void decode(const BlockQ8_0& b, float* x) {
    const float d = b.d.get();
    for (int j = 0; j < 32; ++j) x[j] = static_cast<float>(b.qs[j]) * d;
}

static void decode(const BlockQ8_1& b, float* x) {
    const float d = b.d.get();
    for (int j = 0; j < 32; ++j) x[j] = static_cast<float>(b.qs[j]) * d;
}

template DequantizeBlocks dequantize<BlockQ4_0>;
template DequantizeBlocks dequantize<BlockQ4_1>;
template DequantizeBlocks dequantize<BlockQ5_0>;
template DequantizeBlocks dequantize<BlockQ5_1>;
template DequantizeBlocks dequantize<BlockQ8_0>;
template DequantizeBlocks dequantize<BlockQ8_1>;

}  // namespace ggufkit::quant
