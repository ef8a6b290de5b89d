// Encoders of MXFP4 and NVFP4. A scale has so few bits that those worth trying are tried, each with the codes that suit it.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/fp4/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <limits>

#include "format/blocks/fp4.hpp"
#include "quant/fp4/fp4.hpp"
#include "quant/planes.hpp"
#include "quant/search/one_scale.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// The values of E2M1, doubled, so that they are integers: 0, 1, 2, 3, 4, 6, 8, 12 and their negatives.
struct E2M1Doubled {
    static Lanes nearest(Lanes x) { return hn::CopySign(nearest_magnitude(x), x); }
    static Lanes nearest_magnitude(Lanes x) {
        const Lanes a = smaller(magnitude(x), splat(12));
        // From one value to the next it is half the power of two below, and 1 among the small ones; rounding to a multiple
        // of that is what adding a number whose last bit it is does.
        const Lanes power = hn::And(a, hn::BitCast(tag, hn::Set(integer_tag, 0x7f800000)));
        const Lanes shift = larger(power, splat(2)) * splat(0x1.8p22f);
        return (a + shift) - shift;
    }
    // Of values from 1 on the first mantissa bit and the exponent count codes, but that those of 1 say 0.
    static IntegerLanes code(Lanes x) {
        const Lanes a = nearest_magnitude(x);
        const LaneMask some = zero() < a;
        const auto where = [](LaneMask mask, int number) {
            return hn::IfThenElseZero(hn::RebindMask(integer_tag, mask), hn::Set(integer_tag, number));
        };
        const IntegerLanes counted = hn::ShiftRight<22>(hn::BitCast(integer_tag, a)) - hn::Set(integer_tag, 254);
        return hn::Max(counted, where(some, 1)) + where(hn::And(x < zero(), some), 8);
    }
};

// What the bits of a scale stand for. Both are floats with fewer bits, down to the subnormal ones.
struct PowerOfTwo {
    using Scale = E8M0;
    static Lanes value(IntegerLanes bits) {
        return hn::BitCast(tag, hn::Max(hn::ShiftLeft<23>(bits), hn::Set(integer_tag, 1 << 22)));
    }
};
struct SmallFloat {
    using Scale = UE4M3;
    static Lanes value(IntegerLanes bits) { return hn::BitCast(tag, hn::ShiftLeft<20>(bits)) * splat(0x1p120f); }
};

// Format: n (elements of a sub-block), Scales, and which of them to try, counted from the one at or below a sixth of the
// largest magnitude: those that are best most often come first, and a smaller effort tries fewer.
template <class Format>
struct ListedScales {
    static constexpr int n = Format::n;
    static constexpr Weighting weighting = Weighting::none;
    static constexpr int least_unit = Unit::least;
    using Scale = typename Format::Scales::Scale;
    using Search = SymmetricSearch<n, E2M1Doubled>;

    ListedScales(const Blocks<n>& b, std::uint8_t* codes) {
        PerSubBlock below, inverse, bits;
        for (int k = 0; k < batch_size; ++k) {
            below[k] = static_cast<float>(Scale::below(b.peak[k] / 6));
        }
        for (int first = 0; first < batch_size; first += lane_count) {
            const Best best = search(b, first, below.load(first));
            bits.store(first, best.bits);
            inverse.store(first, ratio(splat(1), half_scale(b, first, best.bits)));
        }
        for (int k = 0; k < batch_size; ++k) scale[k].bits = static_cast<std::uint8_t>(bits[k]);
        write_codes<E2M1Doubled, n>(0, batch_size, b.source.x, b.factor, inverse, PerSubBlock{}, codes);
    }

    void set(int k, BlockMXFP4& block) const { block.e = scale[k]; }
    void set(int k, BlockNVFP4& block) const { std::copy_n(scale + k, 4, block.d); }

    Scale scale[batch_size];

  private:
    struct Best {
        Lanes bits;
        Lanes error;
    };

    static int scales_to_try(Effort effort) {
        return effort == Effort::fast ? Format::fast : effort == Effort::normal ? Format::normal : Format::most;
    }
    // What the doubled values are multiplied by, in units.
    static Lanes half_scale(const Blocks<n>& b, int first, Lanes bits) {
        return Format::Scales::value(to_integer(bits)) * (b.factor.load(first) * splat(0.5f));
    }

    static Best search(const Blocks<n>& b, int first, Lanes below) {
        constexpr int at_once = 2;  // scales, which share a pass over the elements
        Best best{zero(), splat(std::numeric_limits<float>::infinity())};
        for (int j = 0; j < scales_to_try(b.source.effort); j += at_once) {
            Lanes bits[at_once], half[at_once], inverse[at_once];
            SymmetricMoments m[at_once];
            for (int t = 0; t < at_once; ++t) {
                bits[t] = clamp(below + splat(static_cast<float>(Format::scales[j + t])), 0, Scale::last);
                half[t] = half_scale(b, first, bits[t]);
                inverse[t] = ratio(splat(1), half[t]);
            }
            Search::moments(b.batch, first, inverse, m);
            for (int t = 0; t < at_once; ++t) {
                const Lanes error = m[t].error(half[t]);
                const LaneMask better = error < best.error;
                best = {select(better, bits[t], best.bits), select(better, error, best.error)};
            }
        }
        return best;
    }
};

struct MXFP4 {
    using Scales = PowerOfTwo;
    static constexpr int n = 32, scales[] = {0, 1, -1, -2}, fast = 2, normal = 2, most = 4;
};
struct NVFP4 {
    using Scales = SmallFloat;
    static constexpr int n = 16, scales[] = {0, 1, 2, 5, 3, 4, 6, -1, 7, -2, 8, -3, 9, -4, 10, 11};
    static constexpr int fast = 4, normal = 8, most = 16;
};

inline void pack(const std::uint8_t* codes, BlockMXFP4& b) { pack_planes<4, 16>(codes, 0, b.qs); }
inline void pack(const std::uint8_t* codes, BlockNVFP4& b) { pack_planes<4, 8>(codes, 0, b.qs); }

void quantize_mxfp4(const SourceRows& rows, std::byte* out) {
    quantize_blocks<ListedScales<MXFP4>, BlockMXFP4, pack>(rows, out);
}
void quantize_nvfp4(const SourceRows& rows, std::byte* out) {
    quantize_blocks<ListedScales<NVFP4>, BlockNVFP4, pack>(rows, out);
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(quantize_mxfp4);
HWY_EXPORT(quantize_nvfp4);

void quantize_mxfp4(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_mxfp4)(rows, out); }
void quantize_nvfp4(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_nvfp4)(rows, out); }

}  // namespace ggufkit::quant
#endif
