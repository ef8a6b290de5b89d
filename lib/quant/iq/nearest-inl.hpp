// The nearest points of a codebook, for sixteen sub-blocks at once: x ~ scale * v, v made of points.
//
// A sub-block is groups of eight elements, each one or two points. Signs are either free, or an even number of them in
// a group is negative, which may force one element to the wrong side; or there are none, and all elements of a span are
// shifted by an eighth up or down (IQ1). The measure is exact: the weighted squared error, wrong signs and all; only
// which points are tried comes from lists (neighbours.hpp).
#include "quant/iq/formats.hpp"
#include "quant/iq/neighbours.hpp"
#include "quant/search/batch-inl.hpp"
#include "quant/search/symmetric-inl.hpp"

#if defined(GGUFKIT_QUANT_IQ_NEAREST_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_IQ_NEAREST_INL_HPP_
#undef GGUFKIT_QUANT_IQ_NEAREST_INL_HPP_
#else
#define GGUFKIT_QUANT_IQ_NEAREST_INL_HPP_
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// What was chosen for the groups of the sub-blocks: the words of the points, and of each group which of its points has
// an element of the wrong sign (from 1, 0 for none), or whether its elements are shifted down.
template <class Format>
struct Chosen {
    static constexpr int parts = 8 / Format::length;  // points of a group
    std::int32_t word[Format::sub_block / Format::length][batch_size];
    std::int32_t mark[Format::sub_block / 8][batch_size];
};

// Format: sub_block, length, levels, values (the value of each level), signs.
template <class Format>
class NearestPoints {
    static constexpr int n = Format::sub_block;
    static constexpr int length = Format::length;
    static constexpr int levels = Format::levels;
    static constexpr int bits = levels > 4 ? 3 : 2;
    static constexpr int groups = n / 8;
    static constexpr int parts = Chosen<Format>::parts;
    static constexpr bool shifted = Format::signs == Signs::shifted;
    static constexpr bool even = Format::signs == Signs::even;

  public:
    // `tries` points are looked at for each, an even number.
    explicit NearestPoints(int tries) : lists_(neighbours_of<Format::grid>().lists()), pairs_(tries / 2) {}

    // The moments with the nearest points at the scale 1 / inverse.
    SymmetricMoments moments(const Batch<n>& b, int first, Lanes inverse) const {
        SymmetricMoments m{hn::Zero(tag), hn::Zero(tag)};
        for (int g = 0; g < groups; g += groups_a_span) {
            const Span s = nearest_span(b, first, g, inverse);
            m.vv += s.vv;
            m.vx += s.vx;
        }
        return m;
    }
    // These points.
    void choose(const Batch<n>& b, int first, Lanes inverse, Chosen<Format>& chosen) const {
        for (int g = 0; g < groups; g += groups_a_span) {
            nearest_span(b, first, g, inverse).store(first, g, chosen);
        }
    }

  private:
    static constexpr int groups_a_span = Format::span / 8;

    // One point, or several: the sums of w v^2 and w v x that they add, and their error in units of scale^2, without
    // what is the same for all.
    struct Point {
        Lanes cost, vv, vx;
        IntegerLanes word;

        static Point none() {
            return {hn::Set(tag, std::numeric_limits<float>::infinity()), hn::Zero(tag), hn::Zero(tag),
                    hn::Zero(integer_tag)};
        }

        void take(LaneMask better, const Point& p) {
            cost = hn::IfThenElse(better, p.cost, cost);
            vv = hn::IfThenElse(better, p.vv, vv);
            vx = hn::IfThenElse(better, p.vx, vx);
            word = hn::IfThenElse(hn::RebindMask(integer_tag, better), p.word, word);
        }
    };
    struct Span {
        Lanes cost, vv, vx;
        IntegerLanes word[groups_a_span * parts];
        IntegerLanes mark[groups_a_span];

        void add(int at, const Point& p) {
            cost += p.cost;
            vv += p.vv;
            vx += p.vx;
            word[at] = p.word;
        }
        void take(LaneMask better, const Span& s) {
            cost = hn::IfThenElse(better, s.cost, cost);
            vv = hn::IfThenElse(better, s.vv, vv);
            vx = hn::IfThenElse(better, s.vx, vx);
            const auto better_integer = hn::RebindMask(integer_tag, better);
            for (int i = 0; i < groups_a_span * parts; ++i) {
                word[i] = hn::IfThenElse(better_integer, s.word[i], word[i]);
            }
            for (int i = 0; i < groups_a_span; ++i) mark[i] = hn::IfThenElse(better_integer, s.mark[i], mark[i]);
        }
        void store(int first, int group, Chosen<Format>& chosen) const {
            for (int i = 0; i < groups_a_span * parts; ++i) {
                hn::Store(word[i], integer_tag, chosen.word[group * parts + i] + first);
            }
            for (int i = 0; i < groups_a_span; ++i) hn::Store(mark[i], integer_tag, chosen.mark[group + i] + first);
        }
    };

    Span nearest_span(const Batch<n>& b, int first, int group, Lanes inverse) const {
        Span best = span(b, first, group, inverse, 0);
        if constexpr (shifted) {
            const Span down = span(b, first, group, inverse, 1);
            best.take(down.cost < best.cost, down);
        }
        return best;
    }

    Span span(const Batch<n>& b, int first, int group, Lanes inverse, int down) const {
        Span s;
        s.cost = s.vv = s.vx = hn::Zero(tag);
        for (int g = 0; g < groups_a_span; ++g) {
            const int row = 8 * (group + g);
            Point plain[parts], wrong[parts];
            for (int p = 0; p < parts; ++p) nearest(b, first, row + p * length, inverse, down, plain[p], wrong[p]);
            s.mark[g] = hn::Set(integer_tag, down);
            if constexpr (even) s.mark[g] = choose_wrong_sign(b, first, row, plain, wrong);
            for (int p = 0; p < parts; ++p) s.add(g * parts + p, plain[p]);
        }
        return s;
    }

    // Where the number of negative elements is odd, one of the points has to be the one with a wrong sign.
    static IntegerLanes choose_wrong_sign(const Batch<n>& b, int first, int row, Point (&plain)[parts],
                                          const Point (&wrong)[parts]) {
        Lanes signs = b.x_at(row, first);
        for (int i = 1; i < 8; ++i) signs = hn::Xor(signs, b.x_at(row + i, first));
        const LaneMask odd = hn::MaskFromVec(hn::BitCast(tag, hn::BroadcastSignBit(hn::BitCast(integer_tag, signs))));
        if constexpr (parts == 1) {
            plain[0].take(odd, wrong[0]);
            return to_integer(hn::IfThenElseZero(odd, hn::Set(tag, 1)));
        } else {
            const LaneMask second = wrong[1].cost - plain[1].cost < wrong[0].cost - plain[0].cost;
            plain[0].take(hn::AndNot(second, odd), wrong[0]);
            plain[1].take(hn::And(second, odd), wrong[1]);
            return to_integer(hn::IfThenElseZero(odd, hn::IfThenElse(second, hn::Set(tag, 2), hn::Set(tag, 1))));
        }
    }

    // The point that is nearest, and the one that is when the element where it costs least has the wrong sign.
    void nearest(const Batch<n>& b, int first, int row, Lanes inverse, int down, Point& plain, Point& wrong) const {
        plain = wrong = Point::none();
        Lanes w[length], x[length];
        Lanes cell = hn::Zero(tag);
        for (int i = length - 1; i >= 0; --i) {
            w[i] = b.w_at(row + i, first);
            x[i] = sided(b.x_at(row + i, first));
            const Lanes level = code_of(x[i], inverse * hn::Set(tag, 1 / Format::step),
                                        hn::Set(tag, -Format::values[down].of[0] / Format::step), 0, levels - 1);
            cell = fused(cell, hn::Set(tag, levels), level);
        }
        const IntegerLanes list = to_integer(cell) * hn::Set(integer_tag, Neighbours::listed / 2);
        const Lanes minus_twice_inverse = hn::Zero(tag) - (inverse + inverse);
        for (int pair = 0; pair < pairs_; ++pair) {
            IntegerLanes word = hn::GatherIndex(integer_tag, lists_, list + hn::Set(integer_tag, pair));
            for (int half = 0; half < 2; ++half) {
                Point p{hn::Zero(tag), hn::Zero(tag), hn::Zero(tag), word};
                Lanes least = hn::Set(tag, std::numeric_limits<float>::infinity());  // NOLINT(misc-const-correctness)
                for (int i = 0; i < length; ++i) {
                    const Lanes v =
                        entry<levels>(Format::values[down].of, hn::And(word, hn::Set(integer_tag, (1 << bits) - 1)));
                    const Lanes wv = w[i] * v;
                    p.vv = fused(wv, v, p.vv);
                    p.vx = fused(wv, x[i], p.vx);
                    if constexpr (even) least = hn::Min(least, wv * x[i]);
                    word = hn::ShiftRight<bits>(word);
                }
                word = hn::ShiftRight<16 - length * bits>(word);
                p.cost = fused(minus_twice_inverse, p.vx, p.vv);
                plain.take(p.cost < plain.cost, p);
                if constexpr (even) {
                    p.vx -= least + least;
                    p.cost = fused(minus_twice_inverse, p.vx, p.vv);
                    wrong.take(p.cost < wrong.cost, p);
                }
            }
        }
    }
    static Lanes sided(Lanes x) { return shifted ? x : hn::Abs(x); }

    const std::int32_t* lists_;
    int pairs_;
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
