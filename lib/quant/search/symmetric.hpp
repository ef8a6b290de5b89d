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

// Weighted sums of x^2, value^2 and value * x.
struct SymmetricMoments {
    Lanes xx, vv, vx;

    Lanes error(Lanes scale) const { return xx + scale * (scale * vv - (vx + vx)); }
    Lanes best() const { return ratio(vx, vv); }
};

template <int n, class Values>
struct SymmetricSearch {
    using Moments = SymmetricMoments;
    static constexpr int at_once = 2;  // starts, which share a pass over the elements

    // The moments with the values nearest to x * inverse, for as many inverses as `m` has room for; xx is there already.
    template <int count>
    static void moments(const Batch<n>& b, int first, const Lanes (&inverse)[count], Moments (&m)[count]) {
        for (int j = 0; j < count; ++j) m[j].vv = m[j].vx = zero();
        for (int i = 0; i < n; ++i) {
            const Lanes x = b.x_at(i, first), w = b.w_at(i, first), wx = b.wx_at(i, first);
            for (int j = 0; j < count; ++j) {
                const Lanes value = Values::nearest(x * inverse[j]);
                m[j].vv += w * value * value;
                m[j].vx += wx * value;
            }
        }
    }
    static Moments moments(const Batch<n>& b, int first, Lanes xx, Lanes inverse) {
        const Lanes inverses[1] = {inverse};
        Moments found[1] = {{xx, zero(), zero()}};
        moments(b, first, inverses, found);
        return found[0];
    }

    // The moments with the best values that the starts (an even number of them), and from the best of them a step of Lloyd's
    // method, lead to.
    static Moments search(const Batch<n>& b, int first, std::span<const float> starts) {
        Lanes peak = zero(), xx = zero();
        for (int i = 0; i < n; ++i) {
            const Lanes x = b.x_at(i, first);
            peak = select(magnitude(x) > magnitude(peak), x, peak);
            xx += b.wx_at(i, first) * x;
        }
        // Where values are mirrored, the sign of a scale would say nothing.
        const Lanes per_peak = ratio(splat(1), Values::mirrored ? magnitude(peak) : peak);

        Best best{{xx, zero(), zero()}, zero()};
        for (std::size_t s = 0; s < starts.size(); s += at_once) {
            const float* const some = &starts[s];
            Lanes inverse[at_once];
            Moments found[at_once];
            for (int j = 0; j < at_once; ++j) {
                inverse[j] = splat(some[j]) * per_peak;
                found[j].xx = xx;
            }
            moments(b, first, inverse, found);
            for (const Moments& m : found) best.consider(m);
        }
        best.consider(moments(b, first, xx, ratio(splat(1), best.moments.best())));
        return best.moments;
    }

  private:
    struct Best {
        Moments moments;
        Lanes gain;  // of the error of zeros, taken away

        void consider(const Moments& m) {
            const Lanes found = m.vx * m.best();
            const LaneMask better = found > gain;
            gain = select(better, found, gain);
            moments.vv = select(better, m.vv, moments.vv);
            moments.vx = select(better, m.vx, moments.vx);
        }
    };
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
