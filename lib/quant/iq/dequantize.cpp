#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/iq/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "format/blocks/iq.hpp"
#include "quant/dequantize_run.hpp"
#include "quant/iq/codebooks.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// One point of a codebook; bit i of `signs` makes coordinate i negative.
template <int length>
HWY_INLINE void unpack_point(const std::int8_t (&point)[length], unsigned signs, std::int8_t* codes) {
#if HWY_TARGET == HWY_BASELINE_SCALAR
    for (int i = 0; i < length; ++i) codes[i] = static_cast<std::int8_t>((signs >> i & 1u) ? -point[i] : point[i]);
#else
    const hn::FixedTag<std::int8_t, length> tag;
    const std::uint8_t bits[8] = {static_cast<std::uint8_t>(signs)};
    const auto coordinates = hn::LoadU(tag, point);
    hn::StoreU(hn::IfThenElse(hn::LoadMaskBits(tag, bits), hn::Neg(coordinates), coordinates), tag, codes);
#endif
}

// One point of IQ1, in eighths: every coordinate is shifted by one, up or down.
HWY_INLINE void unpack_shifted_point(const std::int8_t (&point)[8], bool down, std::int8_t* codes) {
    const hn::CappedTag<std::int8_t, 8> tag;
    const auto shift = hn::Set(tag, static_cast<std::int8_t>(down ? -1 : 1));
    for (std::size_t i = 0; i < 8; i += hn::Lanes(tag)) {
        hn::StoreU(hn::ShiftLeft<3>(hn::LoadU(tag, point + i)) + shift, tag, codes + i);
    }
}

// Entry i of an array of nibbles, low nibble first.
HWY_INLINE int nibble(const std::uint8_t* bytes, int i) { return bytes[i / 2] >> (4 * (i % 2)) & 15; }

// d * (scale + 1/2) / 4: the scales of the IQ2 types.
HWY_INLINE float iq2_scale(float d, int scale) { return d * (0.5f + static_cast<float>(scale)) * 0.25f; }

// Sign code l of a word that holds four of them below a scale.
HWY_INLINE unsigned sign_code(std::uint32_t word, int l) { return signs_of_code(word >> (7 * l) & 127u); }

HWY_INLINE void unpack(const BlockIQ2_XXS& b, CodesOut out) {
    const float d = number_of(b.d);
    for (int k = 0; k < 8; ++k) {
        const std::uint32_t word = b.groups[k].signs_and_scale.get();
        out.scales[k] = iq2_scale(d, static_cast<int>(word >> 28));
        for (int l = 0; l < 4; ++l) {
            unpack_point(grid_iq2_xxs.points[b.groups[k].index[l]], sign_code(word, l), out.codes + 32 * k + 8 * l);
        }
    }
}

HWY_INLINE void unpack(const BlockIQ2_XS& b, CodesOut out) {
    const float d = number_of(b.d);
    for (int k = 0; k < 16; ++k) out.scales[k] = iq2_scale(d, nibble(b.scales, k));
    for (int i = 0; i < 32; ++i) {
        const unsigned q = b.qs[i].get();
        unpack_point(grid_iq2_xs.points[q & 511u], signs_of_code(q >> 9), out.codes + 8 * i);
    }
}

HWY_INLINE void unpack(const BlockIQ2_S& b, CodesOut out) {
    const float d = number_of(b.d);
    for (int k = 0; k < 16; ++k) out.scales[k] = iq2_scale(d, nibble(b.scales, k));
    for (int i = 0; i < 32; ++i) {
        const int index = b.qs[i] | (b.qh[i / 4] >> (2 * (i % 4)) & 3) << 8;
        unpack_point(grid_iq2_s.points[index], b.signs[i], out.codes + 8 * i);
    }
}

HWY_INLINE void unpack(const BlockIQ3_XXS& b, CodesOut out) {
    const float d = number_of(b.d);
    for (int k = 0; k < 8; ++k) {
        const std::uint32_t word = b.signs_and_scale[k].get();
        out.scales[k] = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
        for (int i = 8 * k; i < 8 * k + 8; ++i) {
            unpack_point(grid_iq3_xxs.points[b.qs[i]], sign_code(word, i / 2 % 4) >> (4 * (i % 2)), out.codes + 4 * i);
        }
    }
}

HWY_INLINE void unpack(const BlockIQ3_S& b, CodesOut out) {
    const float d = number_of(b.d);
    for (int k = 0; k < 8; ++k) out.scales[k] = d * static_cast<float>(1 + 2 * nibble(b.scales, k));
    for (int i = 0; i < 64; ++i) {
        const int index = b.qs[i] | (b.qh[i / 8] >> (i % 8) & 1) << 8;
        unpack_point(grid_iq3_s.points[index], static_cast<unsigned>(nibble(b.signs, i)), out.codes + 4 * i);
    }
}

HWY_INLINE void unpack(const BlockIQ1_S& b, CodesOut out) {
    const float d = number_of(b.d);
    for (int k = 0; k < 8; ++k) {
        const int high = b.qh[k].get();
        out.scales[k] = d * static_cast<float>(2 * (high >> 12 & 7) + 1) * 0.125f;
        for (int i = 4 * k; i < 4 * k + 4; ++i) {
            const int index = b.qs[i] | (high >> (3 * (i % 4)) & 7) << 8;
            unpack_shifted_point(grid_iq1.points[index], (high & 0x8000) != 0, out.codes + 8 * i);
        }
    }
}

HWY_INLINE void unpack(const BlockIQ1_M& b, CodesOut out) {
    const float d = b.scales.d();
    for (int k = 0; k < 16; ++k) out.scales[k] = d * static_cast<float>(2 * b.scales.scale(k) + 1) * 0.125f;
    for (int i = 0; i < 32; ++i) {
        const int high = nibble(b.qh, i);
        const int index = b.qs[i] | (high & 7) << 8;
        unpack_shifted_point(grid_iq1.points[index], (high & 8) != 0, out.codes + 8 * i);
    }
}

HWY_INLINE void unpack(const BlockIQ4_NL& b, CodesOut out) {
    look_up_nibbles(iq4_values, b.qs, out.codes);
    *out.scales = number_of(b.d);
}

HWY_INLINE void unpack(const BlockIQ4_XS& b, CodesOut out) {
    Little<std::uint32_t> low;  // b.scale(k), in lane k
    std::memcpy(low.bytes, b.scales_l, sizeof low);
    const hn::CappedTag<float, 8> tag;
    const hn::Rebind<std::uint32_t, decltype(tag)> bits;
    const hn::Rebind<std::int32_t, decltype(tag)> integers;
    const auto d = hn::Set(tag, number_of(b.d));
    for (std::size_t k = 0; k < 8; k += hn::Lanes(tag)) {
        const auto twice = hn::ShiftLeft<1>(hn::Iota(bits, static_cast<std::uint32_t>(k)));
        const auto lows = hn::And(hn::Shr(hn::Set(bits, low.get()), twice + twice), hn::Set(bits, 15));
        const auto highs = hn::And(hn::Shr(hn::Set(bits, b.scales_h.get()), twice), hn::Set(bits, 3));
        const auto scale = hn::BitCast(integers, hn::Or(lows, hn::ShiftLeft<4>(highs))) - hn::Set(integers, 32);
        hn::StoreU(d * hn::ConvertTo(tag, scale), tag, out.scales + k);
    }
    for (int k = 0; k < 8; ++k) look_up_nibbles(iq4_values, b.qs + 16 * k, out.codes + 32 * k);
}

// Calls visit() with a pointer, to nothing, of what blocks of the type are.
template <class Visit>
void with_block_of(TensorType type, Visit visit) {
    switch (type) {
        case TensorType::IQ2_XXS: return visit(static_cast<const BlockIQ2_XXS*>(nullptr));
        case TensorType::IQ2_XS: return visit(static_cast<const BlockIQ2_XS*>(nullptr));
        case TensorType::IQ2_S: return visit(static_cast<const BlockIQ2_S*>(nullptr));
        case TensorType::IQ3_XXS: return visit(static_cast<const BlockIQ3_XXS*>(nullptr));
        case TensorType::IQ3_S: return visit(static_cast<const BlockIQ3_S*>(nullptr));
        case TensorType::IQ1_S: return visit(static_cast<const BlockIQ1_S*>(nullptr));
        case TensorType::IQ1_M: return visit(static_cast<const BlockIQ1_M*>(nullptr));
        case TensorType::IQ4_NL: return visit(static_cast<const BlockIQ4_NL*>(nullptr));
        case TensorType::IQ4_XS: return visit(static_cast<const BlockIQ4_XS*>(nullptr));
        default: return;
    }
}

void unpack_iq(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    with_block_of(type, [&]<class Block>(const Block*) { unpack_run<Block, unpack>(blocks, n_blocks, codes); });
}

void dequantize_iq(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    with_block_of(type, [&]<class Block>(const Block*) { decode_run<Block, unpack>(blocks, n_blocks, out); });
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_iq);
void dequantize_iq(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_iq)(type, blocks, n_blocks, out);
}

HWY_EXPORT(unpack_iq);
void unpack_iq(TensorType type, const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    HWY_DYNAMIC_DISPATCH(unpack_iq)(type, blocks, n_blocks, codes);
}

}  // namespace ggufkit::quant
#endif
