// Searches for x ~ scale * value, for the sub-blocks of a batch; lanes-inl.hpp has the sets of values.
//
// The counterpart of affine-inl.hpp for types without minima. As values reach further down than up (but for those of the
// last bits), the sign of a scale matters, and starts come in both signs.
#include <limits>

#include "quant/search/blocks-inl.hpp"
#include "quant/search/starts.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_SYMMETRIC_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_SYMMETRIC_INL_HPP_
#undef GGUFKIT_QUANT_SEARCH_SYMMETRIC_INL_HPP_
#else
#define GGUFKIT_QUANT_SEARCH_SYMMETRIC_INL_HPP_
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
        for (int j = 0; j < count; ++j) m[j].vv = m[j].vx = hn::Zero(tag);
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
        Lanes lowest = hn::Zero(tag), highest = hn::Zero(tag);
        for (int i = 0; i < n; ++i) {
            const Lanes x = b.x_at(i, first);
            lowest = hn::Min(lowest, x);
            highest = hn::Max(highest, x);
        }
        // Where values are mirrored, the sign of a scale would say nothing.
        const Lanes peak = Values::mirrored ? hn::Max(hn::Zero(tag) - lowest, highest)
                                            : hn::IfThenElse(hn::Zero(tag) - lowest >= highest, lowest, highest);
        const Lanes per_peak = ratio(hn::Set(tag, 1), peak);

        Best best{{hn::Set(tag, 1), hn::Zero(tag)}};
        for (std::size_t s = 0; s < starts.size(); s += at_once) {
            const float* const some = &starts[s];
            Lanes inverse[at_once];
            Moments found[at_once];
            for (int j = 0; j < at_once; ++j) inverse[j] = hn::Set(tag, some[j]) * per_peak;
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
            moments.vv = hn::IfThenElse(better, m.vv, moments.vv);
            moments.vx = hn::IfThenElse(better, m.vx, moments.vx);
        }
    };
};

// Makes a fit binary16, lets the codes follow, and once more; keeps the better one of the two.
inline constexpr int rounding_steps = 2;

// x ~ d * value. Format: block (elements), Values, starts, weighting.
template <class Format>
struct OneScale {
    static constexpr int n = Format::block;
    static constexpr Weighting weighting = Format::weighting;
    static constexpr int least_unit = Unit::least_for_half;
    using Search = SymmetricSearch<n, typename Format::Values>;

    OneScale(const Blocks<n>& b, std::uint8_t* codes) : blocks(b) {
        PerSubBlock inverse;
        const auto all_starts = symmetric_starts_for<n, -Format::Values::lowest>(
            b.source.effort, b.source.importance != nullptr, Format::starts);
        for (int first = 0; first < batch_size; first += lane_count) {
            SymmetricMoments m = Search::search(b.batch, first, all_starts);
            wanted.store(first, m.best());
            Lanes least = hn::Set(tag, std::numeric_limits<float>::infinity());
            Lanes best = hn::Zero(tag);
            for (int step = 0; step < rounding_steps; ++step) {
                if (step > 0) m = Search::moments(b.batch, first, ratio(hn::Set(tag, 1), best));
                const Lanes next = b.to_half(first, m.best());
                const Lanes error = m.error(next);
                const LaneMask better = error < least;
                least = hn::IfThenElse(better, error, least);
                best = hn::IfThenElse(better, next, best);
            }
            scale.store(first, best);
            inverse.store(first, ratio(hn::Set(tag, 1), best));
        }
        write_codes<typename Format::Values, n>(0, batch_size, b.source.x, b.factor, inverse, PerSubBlock{}, codes);
    }
    template <class Block>
    void set(int k, Block& block) const {
        block.d.set(blocks.stored(scale, wanted, k));
    }

    const Blocks<n>& blocks;
    PerSubBlock wanted;
    PerSubBlock scale;
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
