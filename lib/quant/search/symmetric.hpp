// Searches for x ~ scale * value, for the sub-blocks of a batch; values.hpp has the sets of values.
//
// The counterpart of affine.hpp for types without minima. As values reach further down than up (but for those of the
// last bits), the sign of a scale matters, and starts come in both signs.
//
// Compiled once for each target, as lanes.hpp.
#include "quant/search/batch.hpp"
#include "quant/search/starts.hpp"
#include "quant/search/values.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_SYMMETRIC_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_SYMMETRIC_HPP
#undef GGUFKIT_QUANT_SEARCH_SYMMETRIC_HPP
#else
#define GGUFKIT_QUANT_SEARCH_SYMMETRIC_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// Weighted sums of value^2 and value * x.
struct SymmetricMoments {
    Lanes vv, vx;

    // But for the sum of x^2, which all values have in common.
    Lanes error(Lanes scale) const { return scale * (scale * vv - (vx + vx)); }
    Lanes best() const { return ratio(vx, vv); }
};

template <int n, class Values>
struct SymmetricSearch {
    using Moments = SymmetricMoments;
    static constexpr int at_once = 2;  // starts, which share a pass over the elements

    // The moments with the values nearest to x * inverse, for as many inverses as `m` has room for.
    template <int count>
    static void moments(const Batch<n>& b, int first, const Lanes (&inverse)[count], Moments (&m)[count]) {
        for (int j = 0; j < count; ++j) m[j].vv = m[j].vx = zero();
        for (int i = 0; i < n; ++i) {
            const Lanes x = b.x_at(i, first), w = b.w_at(i, first);
            for (int j = 0; j < count; ++j) {
                const Lanes value = Values::nearest(x * inverse[j]);
                const Lanes wv = w * value;
                m[j].vv = fused(wv, value, m[j].vv);
                m[j].vx = fused(wv, x, m[j].vx);
            }
        }
    }
    static Moments moments(const Batch<n>& b, int first, Lanes inverse) {
        const Lanes inverses[1] = {inverse};
        Moments found[1];
        moments(b, first, inverses, found);
        return found[0];
    }

    // The moments with the best values that the starts (an even number of them), and from the best of them a step of Lloyd's
    // method, lead to.
    static Moments search(const Batch<n>& b, int first, std::span<const float> starts) {
        Lanes lowest = zero(), highest = zero();
        for (int i = 0; i < n; ++i) {
            const Lanes x = b.x_at(i, first);
            lowest = smaller(lowest, x);
            highest = larger(highest, x);
        }
        // Where values are mirrored, the sign of a scale would say nothing.
        const Lanes peak =
            Values::mirrored ? larger(zero() - lowest, highest) : select(zero() - lowest >= highest, lowest, highest);
        const Lanes per_peak = ratio(splat(1), peak);

        Best best{{splat(1), zero()}};
        for (std::size_t s = 0; s < starts.size(); s += at_once) {
            const float* const some = &starts[s];
            Lanes inverse[at_once];
            Moments found[at_once];
            for (int j = 0; j < at_once; ++j) inverse[j] = splat(some[j]) * per_peak;
            moments(b, first, inverse, found);
            for (const Moments& m : found) best.consider(m);
        }
        best.consider(moments(b, first, ratio(best.moments.vv, best.moments.vx)));
        return best.moments;
    }

  private:
    // The error that values take away is vx^2 / vv; such fractions are compared without a division.
    struct Best {
        Moments moments;

        void consider(const Moments& m) {
            const LaneMask better = m.vx * m.vx * moments.vv > moments.vx * moments.vx * m.vv;
            moments.vv = select(better, m.vv, moments.vv);
            moments.vx = select(better, m.vx, moments.vx);
        }
    };
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
