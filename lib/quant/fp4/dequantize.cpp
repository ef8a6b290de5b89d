#include "quant/dequantize_run.hpp"
#include "quant/fp4/blocks.hpp"

namespace ggufkit::quant {

// The values of E2M1, doubled: 0, 1/2, 1, 3/2, 2, 3, 4, 6 and their negatives.
static constexpr std::int8_t e2m1_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

// n half-split codes out of n/2 bytes.
static void decode_codes(const std::uint8_t* qs, int n, float half_scale, float* x) {
    for (int j = 0; j < n / 2; ++j) {
        x[j] = static_cast<float>(e2m1_doubled[qs[j] & 15]) * half_scale;
        x[j + n / 2] = static_cast<float>(e2m1_doubled[qs[j] >> 4]) * half_scale;
    }
}

static void decode(const BlockMXFP4& b, float* x) { decode_codes(b.qs, 32, b.e.half(), x); }

static void decode(const BlockNVFP4& b, float* x) {
    for (int k = 0; k < 4; ++k) decode_codes(b.qs + 8 * k, 16, b.d[k].half(), x + 16 * k);
}

template DequantizeBlocks dequantize<BlockMXFP4>;
template DequantizeBlocks dequantize<BlockNVFP4>;

}  // namespace ggufkit::quant
