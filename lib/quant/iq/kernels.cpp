// IQ1, IQ2 and IQ3, whose elements are points of codebooks: how their blocks come apart, and how points are packed.
#define HWY_TARGET_INCLUDE "quant/iq/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstdint>

#include "format/blocks/iq.hpp"
#include "quant/iq/codebooks.hpp"
#include "quant/iq/encoder-inl.hpp"
#include "quant/iq/formats.hpp"
#include "quant/kernels-inl.hpp"

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

// ---------------------------------------------------------------- encoders

// A word of four sign codes below a scale.
inline std::uint32_t signs_and_scale(const CodebookCodes& c, int k) {
    std::uint32_t word = std::uint32_t{c.scale[k]} << 28;
    for (int l = 0; l < 4; ++l) word |= (c.signs[4 * k + l] & 127u) << (7 * l);
    return word;
}

inline std::uint8_t byte(unsigned value) { return static_cast<std::uint8_t>(value); }

inline void pack(const CodebookCodes& c, BlockIQ2_XXS& b) {
    for (int k = 0; k < 8; ++k) {
        for (int l = 0; l < 4; ++l) b.groups[k].index[l] = byte(c.point[4 * k + l]);
        b.groups[k].signs_and_scale.set(signs_and_scale(c, k));
    }
    b.d.set(c.d);
}

inline void pack(const CodebookCodes& c, BlockIQ2_XS& b) {
    for (int i = 0; i < 32; ++i) {
        b.qs[i].set(static_cast<std::uint16_t>(c.point[i] | (c.signs[i] & 127u) << 9));
    }
    for (int k = 0; k < 8; ++k) b.scales[k] = byte(c.scale[2 * k] | c.scale[2 * k + 1] << 4);
    b.d.set(c.d);
}

inline void pack(const CodebookCodes& c, BlockIQ2_S& b) {
    for (int i = 0; i < 32; ++i) {
        const unsigned point = c.point[i];
        b.qs[i] = byte(point & 255u);
        b.qh[i / 4] = byte(b.qh[i / 4] | (point >> 8) << (2 * (i % 4)));
        b.signs[i] = byte(c.signs[i]);
    }
    for (int k = 0; k < 8; ++k) b.scales[k] = byte(c.scale[2 * k] | c.scale[2 * k + 1] << 4);
    b.d.set(c.d);
}

inline void pack(const CodebookCodes& c, BlockIQ3_XXS& b) {
    for (int i = 0; i < 64; ++i) b.qs[i] = byte(c.point[i]);
    for (int k = 0; k < 8; ++k) b.signs_and_scale[k].set(signs_and_scale(c, k));
    b.d.set(c.d);
}

inline void pack(const CodebookCodes& c, BlockIQ3_S& b) {
    for (int i = 0; i < 64; ++i) {
        const unsigned point = c.point[i];
        b.qs[i] = byte(point & 255u);
        b.qh[i / 8] = byte(b.qh[i / 8] | (point >> 8) << (i % 8));
    }
    for (int i = 0; i < 32; ++i) b.signs[i] = byte(c.signs[i]);
    for (int k = 0; k < 4; ++k) b.scales[k] = byte(c.scale[2 * k] | c.scale[2 * k + 1] << 4);
    b.d.set(c.d);
}

inline void pack(const CodebookCodes& c, BlockIQ1_S& b) {
    for (int k = 0; k < 8; ++k) {
        unsigned high = c.scale[k] << 12 | c.down[4 * k] << 15;
        for (int l = 0; l < 4; ++l) {
            const unsigned point = c.point[4 * k + l];
            b.qs[4 * k + l] = byte(point & 255u);
            high |= (point >> 8) << (3 * l);
        }
        b.qh[k].set(static_cast<std::uint16_t>(high));
    }
    b.d.set(c.d);
}

inline void pack(const CodebookCodes& c, BlockIQ1_M& b) {
    for (int i = 0; i < 32; ++i) {
        const unsigned point = c.point[i];
        b.qs[i] = byte(point & 255u);
        b.qh[i / 2] = byte(b.qh[i / 2] | (point >> 8 | c.down[i] << 3) << (4 * (i % 2)));
    }
    const std::uint16_t d = float_to_half(c.d);
    for (int w = 0; w < 4; ++w) {
        unsigned word = (d >> (4 * w) & 15u) << 12;
        for (int l = 0; l < 4; ++l) word |= c.scale[4 * w + l] << (3 * l);
        b.scales.words[w].set(static_cast<std::uint16_t>(word));
    }
}

std::span<const Kernels> iq_kernels() {
    static constexpr Kernels table[] = {
        kernels<BlockIQ1_S, CodebookEncoder<IQ1_S>>(),     kernels<BlockIQ1_M, CodebookEncoder<IQ1_M>>(),
        kernels<BlockIQ2_XXS, CodebookEncoder<IQ2_XXS>>(), kernels<BlockIQ2_XS, CodebookEncoder<IQ2_XS>>(),
        kernels<BlockIQ2_S, CodebookEncoder<IQ2_S>>(),     kernels<BlockIQ3_XXS, CodebookEncoder<IQ3_XXS>>(),
        kernels<BlockIQ3_S, CodebookEncoder<IQ3_S>>(),
    };
    return table;
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(iq_kernels);
std::span<const Kernels> iq_kernels() { return HWY_DYNAMIC_DISPATCH(iq_kernels)(); }

}  // namespace ggufkit::quant
#endif
