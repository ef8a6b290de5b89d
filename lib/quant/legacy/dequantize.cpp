#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/legacy/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "format/blocks/legacy.hpp"
#include "quant/dequantize_run.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// Bit 4 of 32 codes.
HWY_INLINE void add_fifth_bits(const Little<std::uint32_t>& high, std::uint8_t* codes) {
#if HWY_TARGET == HWY_BASELINE_SCALAR
    for (int j = 0; j < 32; ++j) codes[j] = static_cast<std::uint8_t>(codes[j] | (high.get() >> j & 1u) << 4);
#else
    const hn::CappedTag<std::uint8_t, 16> tag;  // as unpack_planes() stored them
    for (std::size_t j = 0; j < 32; j += hn::Lanes(tag)) {
        const auto bit = hn::IfThenElseZero(hn::LoadMaskBits(tag, high.bytes + j / 8), hn::Set(tag, 16));
        hn::StoreU(hn::Or(hn::LoadU(tag, codes + j), bit), tag, codes + j);
    }
#endif
}

HWY_INLINE void unpack(const BlockQ4_0& b, CodesOut out) {
    unpack_planes<4, 16>(b.qs, out.bytes());
    *out.scales = number_of(b.d);
}

HWY_INLINE void unpack(const BlockQ4_1& b, CodesOut out) {
    unpack_planes<4, 16>(b.qs, out.bytes());
    *out.scales = number_of(b.d);
    *out.mins = -number_of(b.m);
}

HWY_INLINE void unpack(const BlockQ5_0& b, CodesOut out) {
    unpack_planes<4, 16>(b.qs, out.bytes());
    add_fifth_bits(b.qh, out.bytes());
    *out.scales = number_of(b.d);
}

HWY_INLINE void unpack(const BlockQ5_1& b, CodesOut out) {
    unpack_planes<4, 16>(b.qs, out.bytes());
    add_fifth_bits(b.qh, out.bytes());
    *out.scales = number_of(b.d);
    *out.mins = -number_of(b.m);
}

HWY_INLINE void unpack(const BlockQ8_0& b, CodesOut out) {
    std::memcpy(out.codes, b.qs, sizeof b.qs);
    *out.scales = number_of(b.d);
}

HWY_INLINE void unpack(const BlockQ8_1& b, CodesOut out) {
    std::memcpy(out.codes, b.qs, sizeof b.qs);
    *out.scales = number_of(b.d);
}

// Calls visit() with a pointer, to nothing, of what blocks of the type are.
template <class Visit>
void with_block_of(TensorType type, Visit visit) {
    switch (type) {
        case TensorType::Q4_0: return visit(static_cast<const BlockQ4_0*>(nullptr));
        case TensorType::Q4_1: return visit(static_cast<const BlockQ4_1*>(nullptr));
        case TensorType::Q5_0: return visit(static_cast<const BlockQ5_0*>(nullptr));
        case TensorType::Q5_1: return visit(static_cast<const BlockQ5_1*>(nullptr));
        case TensorType::Q8_0: return visit(static_cast<const BlockQ8_0*>(nullptr));
        case TensorType::Q8_1: return visit(static_cast<const BlockQ8_1*>(nullptr));
        default: return;
    }
}

void unpack_legacy(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    with_block_of(type, [&]<class Block>(const Block*) { unpack_run<Block, unpack>(blocks, n_blocks, codes); });
}

void dequantize_legacy(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    with_block_of(type, [&]<class Block>(const Block*) { decode_run<Block, unpack>(blocks, n_blocks, out); });
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_legacy);
void dequantize_legacy(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_legacy)(type, blocks, n_blocks, out);
}

HWY_EXPORT(unpack_legacy);
void unpack_legacy(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    HWY_DYNAMIC_DISPATCH(unpack_legacy)(type, blocks, n_blocks, codes);
}

}  // namespace ggufkit::quant
#endif
