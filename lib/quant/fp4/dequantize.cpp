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

// n half-split codes out of n/2 bytes.
static void decode_codes(const std::uint8_t* qs, int n, float half_scale, float* x) {
    for (int j = 0; j < n / 2; ++j) {
        x[j] = static_cast<float>(e2m1_doubled[qs[j] & 15]) * half_scale;
        x[j + n / 2] = static_cast<float>(e2m1_doubled[qs[j] >> 4]) * half_scale;
    }
}

static void decode(const BlockMXFP4& b, float* HWY_RESTRICT x) { decode_codes(b.qs, 32, b.e.half(), x); }

static void decode(const BlockNVFP4& b, float* HWY_RESTRICT x) {
    for (int k = 0; k < 4; ++k) decode_codes(b.qs + 8 * k, 16, b.d[k].half(), x + 16 * k);
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
