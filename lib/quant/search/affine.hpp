// Searches for x ~ scale * code - min, code = 0..max_code, for the sub-blocks in the lanes.
//
// What is minimised is the weighted squared error: the sum of w (x - scale * code + min)^2. For given codes that is a
// quadratic form in (scale, min) whose coefficients are six sums over the elements, the moments. They tell which scale
// and min suit these codes best, and what any pair costs, without another look at the elements.
#pragma once

#include <limits>

#include "quant/search/lanes.hpp"
#include "quant/search/starts.hpp"

namespace ggufkit::quant {

struct AffineFit {
    Lanes scale;
    Lanes min;
};

// Weighted sums of 1, x, x^2, and of code, code^2, code * x.
struct AffineMoments {
    Lanes one, x, xx, c, cc, cx;

    Lanes error(AffineFit f) const {
        return xx + f.scale * (f.scale * cc - 2.0f * cx) + f.min * (f.min * one - 2.0f * (f.scale * c - x));
    }
    Lanes best_min(Lanes scale) const { return (scale * c - x) / one; }
    // The best of both. Where `signed_min` is false, a min below 0 gives way to 0.
    AffineFit best(bool signed_min) const {
        const Lanes determinant = one * cc - c * c;
        // Equal codes say nothing about the slope; rounding leaves a little of what should be nought.
        const LaneMask sloped = determinant > 1e-5f * one * cc;
        const Lanes scale = select(sloped, (one * cx - c * x) / select(sloped, determinant, splat(1)), Lanes{});
        const Lanes min = best_min(scale);
        const LaneMask at_zero = (~sloped & (cc > Lanes{})) | (signed_min ? LaneMask{} : min < Lanes{});
        return {select(at_zero, ratio(cx, cc), scale), select(at_zero, Lanes{}, min)};
    }
};

template <int n, int max_code>
struct AffineSearch {
    using Group = LaneGroup<n>;
    using Moments = AffineMoments;

    // The moments with codes of 0.
    static Moments moments(const Group& g) {
        Moments m{};
        for (int i = 0; i < n; ++i) {
            const Lanes wx = g.w[i] * g.x[i];
            m.one += g.w[i];
            m.x += wx;
            m.xx += wx * g.x[i];
        }
        return m;
    }

    // The moments with the codes round(x * inverse + offset).
    static Moments moments(const Group& g, Moments m, Lanes inverse, Lanes offset) {
        Lanes c{}, cc{}, cx{};
        for (int i = 0; i < n; ++i) {
            const Lanes code = code_of(g, i, inverse, offset, 0, max_code);
            const Lanes wc = g.w[i] * code;
            c += wc;
            cc += wc * code;
            cx += wc * g.x[i];
        }
        m.c = c, m.cc = cc, m.cx = cx;
        return m;
    }

    // The moments with the codes that suit a fit.
    static Moments moments(const Group& g, const Moments& m, AffineFit f) {
        const Lanes inverse = ratio(splat(1), f.scale);
        return moments(g, m, inverse, f.min * inverse);
    }

    // The moments with the best codes that the starts, and from the best of them a step of Lloyd's method, lead to.
    static Moments search(const Group& g, bool signed_min) {
        const Moments blank = moments(g);
        Lanes lowest = signed_min ? g.x[0] : Lanes{};
        Lanes highest = g.x[0];
        for (int i = 0; i < n; ++i) {
            lowest = smaller(lowest, g.x[i]);
            highest = larger(highest, g.x[i]);
        }
        const Lanes per_range = ratio(splat(1), highest - lowest);

        Moments best = blank;
        Lanes least = splat(std::numeric_limits<float>::infinity());
        const auto consider = [&](const Moments& m) {
            const Lanes error = m.error(m.best(signed_min));
            const LaneMask better = error < least;
            least = select(better, error, least);
            best.c = select(better, m.c, best.c);
            best.cc = select(better, m.cc, best.cc);
            best.cx = select(better, m.cx, best.cx);
        };
        for (const AffineStart& start : affine_starts<n, max_code>) {
            const Lanes inverse = (static_cast<float>(max_code) + start.stretch) * per_range;
            consider(moments(g, blank, inverse, start.shift - lowest * inverse));
        }
        consider(moments(g, blank, best.best(signed_min)));
        return best;
    }
};

}  // namespace ggufkit::quant
