// Searches for x ~ scale * code - min, code = 0..max_code, for the sub-blocks of a batch.
//
// What is minimised is the weighted squared error: the sum of w (x - scale * code + min)^2. For given codes that is a
// quadratic form in (scale, min) whose coefficients are six sums over the elements, the moments. They tell which scale
// and min suit these codes best, and what any pair costs, without another look at the elements.
//
// Compiled once for each target, as lanes.hpp.
#include <limits>

#include "quant/search/batch.hpp"
#include "quant/search/starts.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_AFFINE_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_AFFINE_HPP
#undef GGUFKIT_QUANT_SEARCH_AFFINE_HPP
#else
#define GGUFKIT_QUANT_SEARCH_AFFINE_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

struct AffineFit {
    Lanes scale;
    Lanes min;
};

// Weighted sums of 1, x, x^2, and of code, code^2, code * x.
struct AffineMoments {
    Lanes one, per_one, x, xx;  // per_one is 1 / one
    Lanes c, cc, cx;

    Lanes error(AffineFit f) const {
        const Lanes rest = f.scale * c - x;
        return xx + f.scale * (f.scale * cc - (cx + cx)) + f.min * (f.min * one - (rest + rest));
    }
    Lanes best_min(Lanes scale) const { return (scale * c - x) * per_one; }
    // The best of both. Where `signed_min` is false, a min below 0 gives way to 0.
    AffineFit best(bool signed_min) const {
        const Lanes slope = one * cx - c * x;
        const Lanes determinant = one * cc - c * c;
        // Equal codes say nothing about the slope; rounding leaves a little of what should be nought.
        const LaneMask flat = determinant <= splat(1e-5f) * one * cc;
        LaneMask through_zero = flat;
        if (!signed_min) through_zero = hn::Or(flat, slope * c < x * determinant);
        through_zero = hn::And(through_zero, cc > zero());
        const Lanes above = select(through_zero, cx, hn::IfThenZeroElse(flat, slope));
        const Lanes below = select(through_zero, cc, select(flat, splat(1), determinant));
        const Lanes scale = above / below;
        return {scale, hn::IfThenZeroElse(through_zero, best_min(scale))};
    }
};

template <int n, int max_code>
struct AffineSearch {
    using Moments = AffineMoments;
    static constexpr int at_once = 2;  // starts, which share a pass over the elements

    // What is there to know before there are codes.
    struct Blank {
        Moments moments{zero(), zero(), zero(), zero(), zero(), zero(), zero()};  // with codes of 0
        Lanes lowest, highest;

        Blank(const Batch<n>& b, int first, bool signed_min)
            : lowest(signed_min ? b.x_at(0, first) : zero()), highest(b.x_at(0, first)) {
            for (int i = 0; i < n; ++i) {
                const Lanes x = b.x_at(i, first), wx = b.wx_at(i, first);
                moments.one += b.w_at(i, first);
                moments.x += wx;
                moments.xx += wx * x;
                lowest = smaller(lowest, x);
                highest = larger(highest, x);
            }
            moments.per_one = splat(1) / moments.one;
        }
    };

    // The moments with the codes round(x * inverse + offset), for as many such pairs as `m` has room for; those of 0
    // are there already. Codes that stay inside their range by themselves need not be clamped.
    template <bool inside = false, int count>
    static void moments(const Batch<n>& b, int first, const Lanes (&inverse)[count], const Lanes (&offset)[count],
                        Moments (&m)[count]) {
        for (int j = 0; j < count; ++j) m[j].c = m[j].cc = m[j].cx = zero();
        for (int i = 0; i < n; ++i) {
            const Lanes x = b.x_at(i, first), w = b.w_at(i, first), wx = b.wx_at(i, first);
            for (int j = 0; j < count; ++j) {
                const Lanes code =
                    inside ? round(x * inverse[j] + offset[j]) : code_of(x, inverse[j], offset[j], 0, max_code);
                const Lanes wc = w * code;
                m[j].c += wc;
                m[j].cc += wc * code;
                m[j].cx += wx * code;
            }
        }
    }

    // The moments with the codes that suit a fit.
    static Moments moments(const Batch<n>& b, int first, const Moments& m, AffineFit f) {
        const Lanes inverse[1] = {ratio(splat(1), f.scale)};
        const Lanes offset[1] = {f.min * inverse[0]};
        Moments found[1] = {m};
        moments(b, first, inverse, offset, found);
        return found[0];
    }

    // The moments with the best codes that the starts (an even number of them), and from the best of them a step of Lloyd's
    // method, lead to.
    static Moments search(const Batch<n>& b, int first, bool signed_min, std::span<const AffineStart> starts) {
        const Blank blank(b, first, signed_min);
        const Lanes per_range = ratio(splat(1), blank.highest - blank.lowest);

        Best best{blank.moments, splat(std::numeric_limits<float>::infinity())};
        for (std::size_t s = 0; s < starts.size(); s += at_once) {
            const AffineStart* const some = &starts[s];
            Lanes inverse[at_once], offset[at_once];
            Moments found[at_once];
            bool inside = true;
            for (int j = 0; j < at_once; ++j) {
                inverse[j] = splat(static_cast<float>(max_code) + some[j].stretch) * per_range;
                offset[j] = splat(some[j].shift) - blank.lowest * inverse[j];
                found[j] = blank.moments;
                inside &= some[j].stays_inside();
            }
            if (inside) {
                moments<true>(b, first, inverse, offset, found);
            } else {
                moments(b, first, inverse, offset, found);
            }
            for (const Moments& m : found) best.consider(m, signed_min);
        }
        best.consider(moments(b, first, blank.moments, best.moments.best(signed_min)), signed_min);
        return best.moments;
    }

  private:
    struct Best {
        Moments moments;
        Lanes error;

        void consider(const Moments& m, bool signed_min) {
            const Lanes found = m.error(m.best(signed_min));
            const LaneMask better = found < error;
            error = select(better, found, error);
            moments.c = select(better, m.c, moments.c);
            moments.cc = select(better, m.cc, moments.cc);
            moments.cx = select(better, m.cx, moments.cx);
        }
    };
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
