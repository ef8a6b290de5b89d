// MXFP4 and NVFP4. A scale has so few bits that those worth trying are tried, each with the codes that suit it.
#define HWY_TARGET_INCLUDE "quant/fp4/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "format/blocks/fp4.hpp"
#include "quant/kernels-inl.hpp"
#include "quant/planes.hpp"
#include "quant/search/symmetric-inl.hpp"

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

// ---------------------------------------------------------------- encoders

// The values of E2M1, doubled, so that they are integers: 0, 1, 2, 3, 4, 6, 8, 12 and their negatives.
struct E2M1Doubled {
    static Lanes nearest(Lanes x) { return hn::CopySign(nearest_magnitude(x), x); }
    static Lanes nearest_magnitude(Lanes x) {
        const Lanes a = hn::Min(hn::Abs(x), hn::Set(tag, 12));
        // From one value to the next it is half the power of two below, and 1 among the small ones; rounding to a multiple
        // of that is what adding a number whose last bit it is does.
        const Lanes power = hn::And(a, hn::BitCast(tag, hn::Set(integer_tag, 0x7f800000)));
        const Lanes shift = hn::Max(power, hn::Set(tag, 2)) * hn::Set(tag, 0x1.8p22f);
        return (a + shift) - shift;
    }
    // Of values from 1 on the first mantissa bit and the exponent count codes, but that those of 1 say 0.
    static IntegerLanes code(Lanes x) {
        const Lanes a = nearest_magnitude(x);
        const LaneMask some = hn::Zero(tag) < a;
        const auto where = [](LaneMask mask, int number) {
            return hn::IfThenElseZero(hn::RebindMask(integer_tag, mask), hn::Set(integer_tag, number));
        };
        const IntegerLanes counted = hn::ShiftRight<22>(hn::BitCast(integer_tag, a)) - hn::Set(integer_tag, 254);
        return hn::Max(counted, where(some, 1)) + where(hn::And(x < hn::Zero(tag), some), 8);
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
    static Lanes value(IntegerLanes bits) { return hn::BitCast(tag, hn::ShiftLeft<20>(bits)) * hn::Set(tag, 0x1p120f); }
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
            inverse.store(first, ratio(hn::Set(tag, 1), half_scale(b, first, best.bits)));
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
        return Format::Scales::value(to_integer(bits)) * (b.factor.load(first) * hn::Set(tag, 0.5f));
    }

    static Best search(const Blocks<n>& b, int first, Lanes below) {
        constexpr int at_once = 2;  // scales, which share a pass over the elements
        Best best{hn::Zero(tag), hn::Set(tag, std::numeric_limits<float>::infinity())};
        for (int j = 0; j < scales_to_try(b.source.effort); j += at_once) {
            Lanes bits[at_once], half[at_once], inverse[at_once];
            SymmetricMoments m[at_once];
            for (int t = 0; t < at_once; ++t) {
                bits[t] = clamp(below + hn::Set(tag, static_cast<float>(Format::scales[j + t])), 0, Scale::last);
                half[t] = half_scale(b, first, bits[t]);
                inverse[t] = ratio(hn::Set(tag, 1), half[t]);
            }
            Search::moments(b.batch, first, inverse, m);
            for (int t = 0; t < at_once; ++t) {
                const Lanes error = m[t].error(half[t]);
                const LaneMask better = error < best.error;
                best = {hn::IfThenElse(better, bits[t], best.bits), hn::IfThenElse(better, error, best.error)};
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

inline void pack(BlockCodes c, BlockMXFP4& b) { pack_planes<4, 16>(c.code, 0, b.qs); }
inline void pack(BlockCodes c, BlockNVFP4& b) { pack_planes<4, 8>(c.code, 0, b.qs); }

std::span<const Kernels> fp4_kernels() {
    static constexpr Kernels table[] = {
        kernels<BlockMXFP4, ListedScales<MXFP4>>(),
        kernels<BlockNVFP4, ListedScales<NVFP4>>(),
    };
    return table;
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(fp4_kernels);
std::span<const Kernels> fp4_kernels() { return HWY_DYNAMIC_DISPATCH(fp4_kernels)(); }

}  // namespace ggufkit::quant
#endif
