#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/ternary/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "format/blocks/ternary.hpp"
#include "quant/dequantize_run.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// `trits` trits of each of `n` bytes: trit t of byte m goes to codes[n * t + m].
static void unpack_trits(const std::uint8_t* bytes, int n, int trits, std::uint8_t* codes) {
    unsigned power = 1;
    for (int t = 0; t < trits; ++t, power *= 3) {
        for (int m = 0; m < n; ++m) {
            const unsigned fraction = bytes[m] * power & 255u;
            codes[n * t + m] = static_cast<std::uint8_t>(fraction * 3 >> 8);
        }
    }
}

HWY_INLINE void unpack(const BlockTQ1_0& b, CodesOut out) {
    unpack_trits(b.qs, 32, 5, out.bytes());
    unpack_trits(b.qs + 32, 16, 5, out.bytes() + 160);
    unpack_trits(b.qh, 4, 4, out.bytes() + 240);
    std::fill_n(out.scales, 8, number_of(b.d));
}

HWY_INLINE void unpack(const BlockTQ2_0& b, CodesOut out) {
    unpack_planes<2, 32>(b.qs, out.bytes());
    std::fill_n(out.scales, 8, number_of(b.d));
}

HWY_INLINE void unpack(const BlockQ1_0& b, CodesOut out) {
    for (int j = 0; j < 128; ++j) out.codes[j] = static_cast<std::int8_t>(2 * (b.qs[j / 8] >> (j % 8) & 1) - 1);
    std::fill_n(out.scales, 4, number_of(b.d));
}

HWY_INLINE void unpack(const BlockQ2_0& b, CodesOut out) {
    const hn::RebindToUnsigned<Words> bits;
    for (int j = 0; j < 64; j += number_count) {
        Little<std::uint32_t> sixteen;  // codes
        std::memcpy(sixteen.bytes, b.qs + j / 16 * 4, 4);
        const auto shift = hn::Iota(bits, static_cast<std::uint32_t>(j % 16));
        const auto code = hn::And(hn::Shr(hn::Set(bits, sixteen.get()), shift + shift), hn::Set(bits, 3));
        const hn::Rebind<std::int8_t, Words> bytes;
        hn::StoreU(hn::DemoteTo(bytes, hn::BitCast(words, code)), bytes, out.codes + j);
    }
    std::fill_n(out.scales, 2, number_of(b.d));
}

// Calls visit() with a pointer, to nothing, of what blocks of the type are.
template <class Visit>
void with_block_of(TensorType type, Visit visit) {
    switch (type) {
        case TensorType::TQ1_0: return visit(static_cast<const BlockTQ1_0*>(nullptr));
        case TensorType::TQ2_0: return visit(static_cast<const BlockTQ2_0*>(nullptr));
        case TensorType::Q1_0: return visit(static_cast<const BlockQ1_0*>(nullptr));
        case TensorType::Q2_0: return visit(static_cast<const BlockQ2_0*>(nullptr));
        default: return;
    }
}

void unpack_ternary(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    with_block_of(type, [&]<class Block>(const Block*) { unpack_run<Block, unpack>(blocks, n_blocks, codes); });
}

void dequantize_ternary(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    with_block_of(type, [&]<class Block>(const Block*) { decode_run<Block, unpack>(blocks, n_blocks, out); });
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_ternary);
void dequantize_ternary(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_ternary)(type, blocks, n_blocks, out);
}

HWY_EXPORT(unpack_ternary);
void unpack_ternary(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    HWY_DYNAMIC_DISPATCH(unpack_ternary)(type, blocks, n_blocks, codes);
}

}  // namespace ggufkit::quant
#endif
