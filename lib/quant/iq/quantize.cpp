// The encoders of IQ1, IQ2 and IQ3: what sets the formats apart, and how their points are packed.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/iq/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "format/blocks/iq.hpp"
#include "quant/iq/encoder.hpp"
#include "quant/iq/formats.hpp"
#include "quant/iq/iq.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

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

void quantize_iq1_s(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<CodebookEncoder<IQ1_S>, BlockIQ1_S, pack>(rows, out);
}
void quantize_iq1_m(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<CodebookEncoder<IQ1_M>, BlockIQ1_M, pack>(rows, out);
}
void quantize_iq2_xxs(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<CodebookEncoder<IQ2_XXS>, BlockIQ2_XXS, pack>(rows, out);
}
void quantize_iq2_xs(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<CodebookEncoder<IQ2_XS>, BlockIQ2_XS, pack>(rows, out);
}
void quantize_iq2_s(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<CodebookEncoder<IQ2_S>, BlockIQ2_S, pack>(rows, out);
}
void quantize_iq3_xxs(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<CodebookEncoder<IQ3_XXS>, BlockIQ3_XXS, pack>(rows, out);
}
void quantize_iq3_s(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<CodebookEncoder<IQ3_S>, BlockIQ3_S, pack>(rows, out);
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(quantize_iq1_s);
HWY_EXPORT(quantize_iq1_m);
HWY_EXPORT(quantize_iq2_xxs);
HWY_EXPORT(quantize_iq2_xs);
HWY_EXPORT(quantize_iq2_s);
HWY_EXPORT(quantize_iq3_xxs);
HWY_EXPORT(quantize_iq3_s);

void quantize_iq1_s(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq1_s)(rows, out); }
void quantize_iq1_m(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq1_m)(rows, out); }
void quantize_iq2_xxs(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq2_xxs)(rows, out); }
void quantize_iq2_xs(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq2_xs)(rows, out); }
void quantize_iq2_s(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq2_s)(rows, out); }
void quantize_iq3_xxs(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq3_xxs)(rows, out); }
void quantize_iq3_s(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq3_s)(rows, out); }

}  // namespace ggufkit::quant
#endif
