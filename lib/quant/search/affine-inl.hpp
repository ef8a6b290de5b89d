// Searches for x ~ scale * code - min, code = 0..max_code, for the sub-blocks of a batch.
//
// What is minimised is the weighted squared error: the sum of w (x - scale * code + min)^2, where the weights add up to
// 1. For given codes that is a quadratic form in (scale, min) whose coefficients are a few sums over the elements, the
// moments. They tell which scale and min suit these codes best, and what any pair costs, without another look at the
// elements.
#include "quant/search/batch-inl.hpp"
#include "quant/search/starts.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_AFFINE_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_AFFINE_INL_HPP_
#undef GGUFKIT_QUANT_SEARCH_AFFINE_INL_HPP_
#else
#define GGUFKIT_QUANT_SEARCH_AFFINE_INL_HPP_
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

struct AffineFit {
    Lanes scale;
    Lanes min;
};

// Weighted sums of x, and of code, code^2, code * x.
struct AffineMoments {
    Lanes x;
    Lanes c, cc, cx;

    // But for the sum of x^2, which all codes have in common.
    Lanes error(AffineFit f) const {
        const Lanes rest = f.scale * c - x;
        return f.scale * (f.scale * cc - (cx + cx)) + f.min * (f.min - (rest + rest));
    }
    Lanes best_min(Lanes scale) const { return scale * c - x; }
    // Where the best fit is one without a min: where codes that are all equal say nothing about the slope (rounding leaves
    // a little of what should be nought), and where the min would be below 0 and may not.
    LaneMask through_zero(Lanes slope, Lanes determinant, bool signed_min) const {
        const LaneMask flat = determinant <= hn::Set(tag, 1e-5f) * cc;
        return signed_min ? flat : hn::Or(flat, slope * c < x * determinant);
    }
    // The best of both.
    AffineFit best(bool signed_min) const {
        const Lanes slope = cx - c * x;
        const Lanes determinant = cc - c * c;
        const LaneMask no_min = through_zero(slope, determinant, signed_min);
        const LaneMask no_codes = cc <= hn::Zero(tag);
        const Lanes scale = hn::IfThenZeroElse(
            no_codes, hn::IfThenElse(no_min, cx, slope) /
                          hn::IfThenElse(no_codes, hn::Set(tag, 1), hn::IfThenElse(no_min, cc, determinant)));
        return {scale, hn::IfThenZeroElse(hn::AndNot(no_codes, no_min), best_min(scale))};
    }
};

template <int n, int max_code>
struct AffineSearch {
    using Moments = AffineMoments;
    static constexpr int at_once = 2;  // starts, which share a pass over the elements

    // The moments with the codes round(x * inverse + offset), for as many such pairs as `m` has room for; that of x
    // is there already. Codes that stay inside their range by themselves need not be clamped.
    template <bool inside = false, int count>
    static void moments(const Batch<n>& b, int first, const Lanes (&inverse)[count], const Lanes (&offset)[count],
                        Moments (&m)[count]) {
        for (int j = 0; j < count; ++j) m[j].c = m[j].cc = m[j].cx = hn::Zero(tag);
        for (int i = 0; i < n; ++i) {
            const Lanes x = b.x_at(i, first), w = b.w_at(i, first);
            for (int j = 0; j < count; ++j) {
                const Lanes code =
                    inside ? round(fused(x, inverse[j], offset[j])) : code_of(x, inverse[j], offset[j], 0, max_code);
                const Lanes wc = w * code;
                m[j].c += wc;
                m[j].cc = fused(wc, code, m[j].cc);
                m[j].cx = fused(wc, x, m[j].cx);
            }
        }
    }

    // The moments with the codes that suit a fit.
    static Moments moments(const Batch<n>& b, int first, const Moments& m, AffineFit f) {
        const Lanes inverse[1] = {ratio(hn::Set(tag, 1), f.scale)};
        const Lanes offset[1] = {f.min * inverse[0]};
        Moments found[1] = {m};
        moments(b, first, inverse, offset, found);
        return found[0];
    }

    // The moments with the best codes that the starts (an even number of them), and from the best of them a step of
    // Lloyd's method, lead to.
    static Moments search(const Batch<n>& b, int first, bool signed_min, std::span<const AffineStart> starts) {
        Lanes mean = hn::Zero(tag);
        Lanes lowest = signed_min ? b.x_at(0, first) : hn::Zero(tag), highest = b.x_at(0, first);
        for (int i = 0; i < n; ++i) {
            const Lanes x = b.x_at(i, first);
            mean = fused(b.w_at(i, first), x, mean);
            lowest = hn::Min(lowest, x);
            highest = hn::Max(highest, x);
        }
        const Lanes per_range = ratio(hn::Set(tag, 1), highest - lowest);

        Best best(mean, signed_min);
        for (std::size_t s = 0; s < starts.size(); s += at_once) {
            const AffineStart* const some = &starts[s];
            Lanes inverse[at_once], offset[at_once];
            Moments found[at_once];
            bool inside = true;
            for (int j = 0; j < at_once; ++j) {
                inverse[j] = hn::Set(tag, static_cast<float>(max_code) + some[j].stretch) * per_range;
                offset[j] = hn::Set(tag, some[j].shift) - lowest * inverse[j];
                found[j].x = mean;
                inside &= some[j].stays_inside();
            }
            if (inside) {
                moments<true>(b, first, inverse, offset, found);
            } else {
                moments(b, first, inverse, offset, found);
            }
            for (const Moments& m : found) best.consider(m, signed_min);
        }
        best.consider(moments(b, first, best.moments, best.moments.best(signed_min)), signed_min);
        return best.moments;
    }

  private:
    // What a fit takes away from the error of x ~ mean of x is a fraction; fractions are compared without a division.
    struct Best {
        Moments moments;
        Lanes square;     // of the mean of x
        Lanes gain, per;  // numerator and denominator

        // Begins with codes of 0: the min alone, or nothing if that would be below 0.
        Best(Lanes mean, bool signed_min)
            : moments{mean, hn::Zero(tag), hn::Zero(tag), hn::Zero(tag)},
              square(mean * mean),
              gain(signed_min ? hn::Zero(tag) : hn::IfThenElseZero(mean > hn::Zero(tag), hn::Zero(tag) - square)),
              per(hn::Set(tag, 1)) {}

        // Scales below 0 are of no use: cx |cx| lets those of fits without a min lose.
        void consider(const Moments& m, bool signed_min) {
            const Lanes slope = m.cx - m.c * m.x;
            const Lanes determinant = m.cc - m.c * m.c;
            const LaneMask no_min = m.through_zero(slope, determinant, signed_min);
            const Lanes found = hn::IfThenElse(no_min, m.cx * hn::Abs(m.cx) - square * m.cc, slope * slope);
            const Lanes per_found = hn::IfThenElse(no_min, m.cc, determinant);
            const LaneMask better = found * per > gain * per_found;
            gain = hn::IfThenElse(better, found, gain);
            per = hn::IfThenElse(better, per_found, per);
            moments.c = hn::IfThenElse(better, m.c, moments.c);
            moments.cc = hn::IfThenElse(better, m.cc, moments.cc);
            moments.cx = hn::IfThenElse(better, m.cx, moments.cx);
        }
    };
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
