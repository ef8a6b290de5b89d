// Encoders of IQ4_NL and IQ4_XS: Q4_0, and Q3_K with sub-blocks of 32, but for the values that codes stand for.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/iq/quantize_iq4.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "format/blocks/iq.hpp"
#include "quant/iq/iq4.hpp"
#include "quant/k/symmetric.hpp"
#include "quant/planes.hpp"
#include "quant/search/one_scale.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

struct Iq4Values {
    static constexpr int lowest = iq4_values[0];
    static constexpr bool mirrored = false;

    static IntegerLanes code(Lanes x) {
        const IntegerLanes lower = to_integer(clamp(fused(x, splat(Iq4Line::slope), splat(Iq4Line::base)), 0, 14));
        const LaneMask above = x > entry(iq4_tables.middle, lower);
        return lower + hn::IfThenElseZero(hn::RebindMask(integer_tag, above), hn::Set(integer_tag, 1));
    }
    static Lanes nearest(Lanes x) { return entry(iq4_tables.value, code(x)); }
};

struct IQ4_NL {
    using Values = Iq4Values;
    static constexpr int block = 32, starts = 12;
    static constexpr Weighting weighting = Weighting::linear;
};
struct IQ4_XS {
    using Values = Iq4Values;
    static constexpr int sub_block = 32, half_scales = 32, starts = 12;
    static constexpr Weighting weighting = Weighting::linear;
};

inline void pack(const std::uint8_t* codes, BlockIQ4_NL& b) { pack_planes<4, 16>(codes, 0, b.qs); }

inline void pack(const SymmetricCodes& c, BlockIQ4_XS& b) {
    unsigned high = 0;
    for (int k = 0; k < 8; k += 2) {
        const int scales = (c.scale[k] + 32) | (c.scale[k + 1] + 32) << 8;
        b.scales_l[k / 2] = static_cast<std::uint8_t>((scales & 15) | (scales >> 4 & 0xf0));
        high |= static_cast<unsigned>((scales >> 4 & 3) | (scales >> 10 & 0xc)) << (2 * k);
    }
    b.scales_h.set(static_cast<std::uint16_t>(high));
    b.d.set(c.d);
    pack_planes<4, 16>(c.code, 0, b.qs);
}

void quantize_iq4_nl(const SourceRows& rows, std::byte* out) {
    quantize_blocks<OneScale<IQ4_NL>, BlockIQ4_NL, pack>(rows, out);
}
void quantize_iq4_xs(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<SymmetricEncoder<IQ4_XS>, BlockIQ4_XS, pack>(rows, out);
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(quantize_iq4_nl);
HWY_EXPORT(quantize_iq4_xs);

void quantize_iq4_nl(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq4_nl)(rows, out); }
void quantize_iq4_xs(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq4_xs)(rows, out); }

}  // namespace ggufkit::quant
#endif
