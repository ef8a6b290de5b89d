#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/fp4/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/dequantize_run.hpp"
#include "quant/fp4/blocks.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// The values of E2M1, doubled: 0, 1/2, 1, 3/2, 2, 3, 4, 6 and their negatives.
static constexpr std::int8_t e2m1_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

static void decode(const BlockMXFP4& b, float* HWY_RESTRICT x) {
    std::int8_t values[32];
    look_up_nibbles(e2m1_doubled, b.qs, values);
    scale_codes<32>(values, b.e.half(), x);
}

static void decode(const BlockNVFP4& b, float* HWY_RESTRICT x) {
    for (int k = 0; k < 4; k += 2) {  // two sub-blocks at a time, each of eight low and eight high nibbles
        std::int8_t values[32];
        look_up_nibbles(e2m1_doubled, b.qs + 8 * k, values);
        for (int s = 0; s < 2; ++s) {
            scale_codes<8>(values + 8 * s, b.d[k + s].half(), x + 16 * (k + s));
            scale_codes<8>(values + 16 + 8 * s, b.d[k + s].half(), x + 16 * (k + s) + 8);
        }
    }
}

void dequantize_fp4(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    switch (type) {
        case TensorType::MXFP4: return decode_run<BlockMXFP4, decode>(blocks, n_blocks, out);
        case TensorType::NVFP4: return decode_run<BlockNVFP4, decode>(blocks, n_blocks, out);
        default: return;
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_fp4);
void dequantize_fp4(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_fp4)(type, blocks, n_blocks, out);
}

}  // namespace ggufkit::quant
#endif
