// Searches for x ~ scale * value, value = -half_range..half_range - 1, for the sub-blocks in the lanes.
//
// The counterpart of affine.hpp for types without minima. As values reach one step further down than up, the sign of a
// scale matters, and starts come in both signs.
#pragma once

#include "quant/search/lanes.hpp"
#include "quant/search/starts.hpp"

namespace ggufkit::quant {

// Weighted sums of x^2, value^2 and value * x.
struct SymmetricMoments {
    Lanes xx, vv, vx;

    Lanes error(Lanes scale) const { return xx + scale * (scale * vv - 2.0f * vx); }
    Lanes best() const { return ratio(vx, vv); }
};

template <int n, int half_range>
struct SymmetricSearch {
    using Group = LaneGroup<n>;
    using Moments = SymmetricMoments;

    // The moments with the values round(x * inverse).
    static Moments moments(const Group& g, Lanes xx, Lanes inverse) {
        Moments m{xx, {}, {}};
        for (int i = 0; i < n; ++i) {
            const Lanes value = code_of(g, i, inverse, Lanes{}, -half_range, half_range - 1);
            const Lanes wv = g.w[i] * value;
            m.vv += wv * value;
            m.vx += wv * g.x[i];
        }
        return m;
    }

    // The moments with the best values that the starts, and from the best of them a step of Lloyd's method, lead to.
    static Moments search(const Group& g) {
        Lanes peak{}, xx{};
        for (int i = 0; i < n; ++i) {
            peak = select(magnitude(g.x[i]) > magnitude(peak), g.x[i], peak);
            xx += g.w[i] * g.x[i] * g.x[i];
        }
        const Lanes per_peak = ratio(splat(1), peak);

        Moments best{xx, {}, {}};
        Lanes most = {};  // of the error of zeros, taken away
        const auto consider = [&](const Moments& m) {
            const Lanes gain = m.vx * m.best();
            const LaneMask better = gain > most;
            most = select(better, gain, most);
            best.vv = select(better, m.vv, best.vv);
            best.vx = select(better, m.vx, best.vx);
        };
        for (const float start : symmetric_starts<n, half_range>) consider(moments(g, xx, start * per_peak));
        consider(moments(g, xx, ratio(splat(1), best.best())));
        return best;
    }
};

}  // namespace ggufkit::quant
