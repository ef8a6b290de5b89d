#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/fp4/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "format/blocks/fp4.hpp"
#include "quant/dequantize_run.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// The values of E2M1, doubled: 0, 1/2, 1, 3/2, 2, 3, 4, 6 and their negatives.
static constexpr std::int8_t e2m1_doubled[16] = {0, 1, 2, 3, 4, 6, 8, 12, 0, -1, -2, -3, -4, -6, -8, -12};

HWY_INLINE void unpack(const BlockMXFP4& b, CodesOut out) {
    look_up_nibbles(e2m1_doubled, b.qs, out.codes);
    *out.scales = b.e.half();
}

HWY_INLINE void unpack(const BlockNVFP4& b, CodesOut out) {
    for (int k = 0; k < 4; k += 2) {  // two sub-blocks at a time, each of eight low and eight high nibbles
        std::int8_t values[32];
        look_up_nibbles(e2m1_doubled, b.qs + 8 * k, values);
        for (int s = 0; s < 2; ++s) {
            std::memcpy(out.codes + 16 * (k + s), values + 8 * s, 8);
            std::memcpy(out.codes + 16 * (k + s) + 8, values + 16 + 8 * s, 8);
            out.scales[k + s] = b.d[k + s].half();
        }
    }
}

// Calls visit() with a pointer, to nothing, of what blocks of the type are.
template <class Visit>
void with_block_of(TensorType type, Visit visit) {
    switch (type) {
        case TensorType::MXFP4: return visit(static_cast<const BlockMXFP4*>(nullptr));
        case TensorType::NVFP4: return visit(static_cast<const BlockNVFP4*>(nullptr));
        default: return;
    }
}

void unpack_fp4(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    with_block_of(type, [&]<class Block>(const Block*) { unpack_run<Block, unpack>(blocks, n_blocks, codes); });
}

void dequantize_fp4(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    with_block_of(type, [&]<class Block>(const Block*) { decode_run<Block, unpack>(blocks, n_blocks, out); });
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_fp4);
void dequantize_fp4(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_fp4)(type, blocks, n_blocks, out);
}

HWY_EXPORT(unpack_fp4);
void unpack_fp4(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    HWY_DYNAMIC_DISPATCH(unpack_fp4)(type, blocks, n_blocks, codes);
}

}  // namespace ggufkit::quant
#endif
