#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/k/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "format/blocks/k.hpp"
#include "quant/dequantize_run.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

HWY_INLINE void unpack(const BlockQ2_K& b, CodesOut out) {
    unpack_planes<2, 32>(b.qs, out.bytes());
    const auto d = hn::Set(numbers, number_of(b.d)), dmin = hn::Set(numbers, number_of(b.dmin));
    for_nibbles<32>(b.scales, [&](WordLanes code, int k) {
        if (k < 16) {
            hn::StoreU(d * numbers_of(code), numbers, out.scales + k);
        } else {
            hn::StoreU(dmin * numbers_of(code), numbers, out.mins + k - 16);
        }
    });
}

HWY_INLINE void unpack(const BlockQ3_K& b, CodesOut out) {
    unpack_planes<2, 32>(b.qs, out.bytes());
    unpack_planes<1, 32, 2>(b.hmask, out.bytes());
    std::uint8_t scale_bytes[16];
    b.scales.get(scale_bytes);
    scale_codes<16, 32>(scale_bytes, number_of(b.d), out.scales);
}

// Of Q4_K and Q5_K.
template <class Block>
HWY_INLINE void unpack_scales(const Block& b, CodesOut out) {
    std::uint8_t scale_bytes[8], min_bytes[8];
    b.scales.get(scale_bytes, min_bytes);
    scale_codes<8>(scale_bytes, number_of(b.d), out.scales);
    scale_codes<8>(min_bytes, number_of(b.dmin), out.mins);
}

HWY_INLINE void unpack(const BlockQ4_K& b, CodesOut out) {
    unpack_planes<4, 32>(b.qs, out.bytes());
    unpack_scales(b, out);
}

HWY_INLINE void unpack(const BlockQ5_K& b, CodesOut out) {
    unpack_planes<4, 32>(b.qs, out.bytes());
    unpack_planes<1, 32, 4>(b.qh, out.bytes());
    unpack_scales(b, out);
}

HWY_INLINE void unpack(const BlockQ6_K& b, CodesOut out) {
    unpack_planes<4, 64>(b.ql, out.bytes());
    unpack_planes<2, 32, 4>(b.qh, out.bytes());
    scale_codes<16>(b.scales, number_of(b.d), out.scales);
}

HWY_INLINE void unpack(const BlockQ8_K& b, CodesOut out) {
    std::memcpy(out.codes, b.qs, sizeof b.qs);
    std::fill_n(out.scales, 8, b.d.get());
}

// Calls visit() with a pointer, to nothing, of what blocks of the type are.
template <class Visit>
void with_block_of(TensorType type, Visit visit) {
    switch (type) {
        case TensorType::Q2_K: return visit(static_cast<const BlockQ2_K*>(nullptr));
        case TensorType::Q3_K: return visit(static_cast<const BlockQ3_K*>(nullptr));
        case TensorType::Q4_K: return visit(static_cast<const BlockQ4_K*>(nullptr));
        case TensorType::Q5_K: return visit(static_cast<const BlockQ5_K*>(nullptr));
        case TensorType::Q6_K: return visit(static_cast<const BlockQ6_K*>(nullptr));
        case TensorType::Q8_K: return visit(static_cast<const BlockQ8_K*>(nullptr));
        default: return;
    }
}

void unpack_k(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    with_block_of(type, [&]<class Block>(const Block*) { unpack_run<Block, unpack>(blocks, n_blocks, codes); });
}

void dequantize_k(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    with_block_of(type, [&]<class Block>(const Block*) { decode_run<Block, unpack>(blocks, n_blocks, out); });
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_k);
void dequantize_k(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_k)(type, blocks, n_blocks, out);
}

HWY_EXPORT(unpack_k);
void unpack_k(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    HWY_DYNAMIC_DISPATCH(unpack_k)(type, blocks, n_blocks, codes);
}

}  // namespace ggufkit::quant
#endif
