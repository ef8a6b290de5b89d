// IQ4_NL and IQ4_XS: Q4_0, and Q3_K with sub-blocks of 32, but for the values of codes.
#define HWY_TARGET_INCLUDE "quant/iq/iq4_kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "format/blocks/iq.hpp"
#include "quant/iq/codebooks.hpp"
#include "quant/k/symmetric-inl.hpp"
#include "quant/kernels-inl.hpp"
#include "quant/planes.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

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

// ---------------------------------------------------------------- encoders

struct Iq4Tables {
    alignas(64) float value[16];
    alignas(64) float middle[16];  // between a value and the next

    constexpr Iq4Tables() : value{}, middle{} {
        for (int i = 0; i < 16; ++i) value[i] = static_cast<float>(iq4_values[i]);
        for (int i = 0; i < 15; ++i) middle[i] = (value[i] + value[i + 1]) / 2;
    }
};
inline constexpr Iq4Tables iq4_tables;

// The values are so nearly even that a line says which two of them may be the nearest to x: the integer nearest to
// slope x + base, from 0 to 14, and the next. The middle between them decides.
struct Iq4Line {
    static constexpr float slope = 0.072f, base = 7.38f;
};
static_assert([] {
    for (int i = 0; i < 15; ++i) {
        const float at = iq4_tables.middle[i] * Iq4Line::slope + Iq4Line::base;
        if ((i > 0 && at < static_cast<float>(i) - 0.49f) || (i < 14 && at > static_cast<float>(i) + 0.49f))
            return false;
    }
    return true;
}());

struct Iq4Values {
    static constexpr int lowest = iq4_values[0];
    static constexpr bool mirrored = false;

    static IntegerLanes code(Lanes x) {
        const IntegerLanes lower =
            to_integer(clamp(fused(x, hn::Set(tag, Iq4Line::slope), hn::Set(tag, Iq4Line::base)), 0, 14));
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

inline void pack(BlockCodes c, BlockIQ4_NL& b) { pack_planes<4, 16>(c.code, 0, b.qs); }

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

std::span<const Kernels> iq4_kernels() {
    static constexpr Kernels table[] = {
        kernels<BlockIQ4_NL, OneScale<IQ4_NL>>(),
        kernels<BlockIQ4_XS, SymmetricEncoder<IQ4_XS>>(),
    };
    return table;
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(iq4_kernels);
std::span<const Kernels> iq4_kernels() { return HWY_DYNAMIC_DISPATCH(iq4_kernels)(); }

}  // namespace ggufkit::quant
#endif
