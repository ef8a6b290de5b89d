// Super-blocks of x ~ d * scale * code - dmin * min (Q2_K, Q4_K, Q5_K): d and dmin are binary16, scales and mins small
// integers, one of each a sub-block. spec/quantizers.md says why.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "quant/search/affine-inl.hpp"
#include "quant/search/blocks-inl.hpp"

#if defined(GGUFKIT_QUANT_K_AFFINE_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_K_AFFINE_INL_HPP_
#undef GGUFKIT_QUANT_K_AFFINE_INL_HPP_
#else
#define GGUFKIT_QUANT_K_AFFINE_INL_HPP_
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// What the encoder finds in a super-block, before it is packed.
struct AffineCodes {
    float d;
    float dmin;
    std::uint8_t scale[16];
    std::uint8_t min[16];
    std::uint8_t code[256];
};

// Format: sub_block, max_code, max_scale, starts.
template <class Format>
class AffineEncoder {
    static constexpr int n = Format::sub_block;
    static constexpr int max_scale = Format::max_scale;
    using Blocks = SuperBlocks<n>;
    using Search = AffineSearch<n, Format::max_code>;

  public:
    using Codes = AffineCodes;
    static constexpr int sub_block = n;
    static constexpr int super_blocks = Blocks::count;

    explicit AffineEncoder(const BatchSource<n>& source) : source_(source), blocks_(source, Weighting::linear) {
        fit_freely();
        choose_units();
        switch (source.effort) {
            case Effort::fast: fit_integers<1>(); break;
            case Effort::normal: fit_integers<3>(); break;
            case Effort::max: search_long(); return;
        }
        refit_units();
    }

    void write(Codes (&out)[super_blocks]) const {
        PerSubBlock inverse, offset;
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes v = ratio(hn::Set(tag, 1), d_.load(first) * scale_.load(first));
            inverse.store(first, v);
            offset.store(first, dmin_.load(first) * min_.load(first) * v);
        }
        for (int b = 0; b < super_blocks; ++b) {
            const Unit& unit = blocks_.unit[b];
            const int from = b * Blocks::size;
            const bool overflow =
                unit.overflows_half(largest_scale_[b] / max_scale) || unit.overflows_half(largest_min_[b] / max_scale);
            out[b].d = overflow ? std::numeric_limits<float>::infinity() : d_[from] * unit.size;
            out[b].dmin = dmin_[from] * unit.size;
            for (int k = 0; k < Blocks::size; ++k) {
                out[b].scale[k] = static_cast<std::uint8_t>(scale_[from + k]);
                out[b].min[k] = static_cast<std::uint8_t>(min_[from + k]);
            }
            write_codes<IntegerValues<0, Format::max_code>, n>(from, Blocks::size, source_.x, blocks_.factor, inverse,
                                                               offset, out[b].code);
        }
    }

  private:
    // The moments of sixteen sub-blocks, at rest.
    struct Moments {
        PerSubBlock x, c, cc, cx;

        AffineMoments load(int first) const { return {x.load(first), c.load(first), cc.load(first), cx.load(first)}; }
        void store(int first, const AffineMoments& m) {
            x.store(first, m.x), c.store(first, m.c), cc.store(first, m.cc), cx.store(first, m.cx);
        }
    };

    // What scales and mins are multiples of, and by what to multiply to get the multiple.
    struct Units {
        Units(Lanes scale_unit, Lanes min_unit)
            : d(scale_unit), dmin(min_unit), per_d(ratio(hn::Set(tag, 1), d)), per_dmin(ratio(hn::Set(tag, 1), dmin)) {}
        Lanes d, dmin, per_d, per_dmin;
    };
    struct Integers {
        Lanes scale, min;
        Lanes error;
        AffineMoments behind;

        void consider(const Integers& found) {
            const LaneMask better = found.error < error;
            scale = hn::IfThenElse(better, found.scale, scale);
            min = hn::IfThenElse(better, found.min, min);
            error = hn::IfThenElse(better, found.error, error);
            behind.c = hn::IfThenElse(better, found.behind.c, behind.c);
            behind.cc = hn::IfThenElse(better, found.behind.cc, behind.cc);
            behind.cx = hn::IfThenElse(better, found.behind.cx, behind.cx);
        }
    };

    // The integers that suit the codes behind `m`: the scale nearest to the best, then the min that is best beside it.
    static Integers nearest(const AffineMoments& m, Lanes best_scale, const Units& units) {
        const Lanes scale = clamp(round(best_scale * units.per_d), 0, max_scale);
        const Lanes min = clamp(round(m.best_min(units.d * scale) * units.per_dmin), 0, max_scale);
        return {scale, min, m.error({units.d * scale, units.dmin * min}), m};
    }

    // The best scale and min of each sub-block by itself, any real number.
    void fit_freely() {
        const auto starts =
            affine_starts_for<n, Format::max_code>(source_.effort, source_.importance != nullptr, Format::starts);
        PerSubBlock free_min;
        for (int first = 0; first < batch_size; first += lane_count) {
            const AffineMoments m = Search::search(blocks_.batch, first, false, starts);
            const AffineFit fit = m.best(false);
            moments_.store(first, m);
            free_scale_.store(first, fit.scale);
            free_min.store(first, fit.min);
        }
        for (int b = 0; b < super_blocks; ++b) {
            largest_scale_[b] = std::max(0.0f, free_scale_.template largest<Blocks::size>(b * Blocks::size));
            largest_min_[b] = std::max(0.0f, free_min.template largest<Blocks::size>(b * Blocks::size));
        }
    }

    // What the largest scale and the largest min are multiplied by.
    struct Grid {
        PerSubBlock factor;

        constexpr Grid() {
            for (int k = 0; k < batch_size; ++k) factor[k] = 1.0f / static_cast<float>(max_scale - 7 + k);
        }
    };

    // Units around those that make the largest scale and the largest min the largest integer. First d, as if mins could
    // be anything; then dmin, for the mins that are best beside the multiples of d.
    void choose_units() {
        PerSubBlock minus_x, minus_twice_cx, best_min;
        for (int first = 0; first < batch_size; first += lane_count) {
            minus_x.store(first, hn::Zero(tag) - moments_.x.load(first));
            minus_twice_cx.store(first, hn::Set(tag, -2) * moments_.cx.load(first));
        }
        for (int b = 0; b < super_blocks; ++b) {
            const auto error = [&](int k, Lanes d, Lanes per_d) {
                const Lanes scale = d * clamp(round(hn::Set(tag, free_scale_[k]) * per_d), 0, max_scale);
                const Lanes min =
                    hn::Max(fused(scale, hn::Set(tag, moments_.c[k]), hn::Set(tag, minus_x[k])), hn::Zero(tag));
                const Lanes slope = fused(scale, hn::Set(tag, moments_.cc[k]), hn::Set(tag, minus_twice_cx[k]));
                return fused(scale, slope, hn::Zero(tag) - min * min);
            };
            set_units(b, best_unit(b, largest_scale_[b], error), 0);
        }
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes d = d_.load(first);
            const Lanes scale = d * clamp(round(free_scale_.load(first) * ratio(hn::Set(tag, 1), d)), 0, max_scale);
            best_min.store(first, hn::Max(moments_.load(first).best_min(scale), hn::Zero(tag)));
        }
        for (int b = 0; b < super_blocks; ++b) {
            const auto error = [&](int k, Lanes dmin, Lanes per_dmin) {
                const Lanes best = hn::Set(tag, best_min[k]);
                const Lanes rest = fused(dmin, clamp(round(best * per_dmin), 0, max_scale), hn::Zero(tag) - best);
                return rest * rest;
            };
            set_units(b, d_[b * Blocks::size], best_unit(b, largest_min_[b], error));
        }
    }
    // The one of sixteen units for which the errors of the sub-blocks of b, error(sub-block, unit, 1 / unit), add up to
    // the least. Here a lane is a unit.
    template <class Error>
    float best_unit(int b, float largest, Error error) const {
        static constexpr Grid grid;
        const Lanes size = hn::Set(tag, blocks_.unit[b].size), inverse = hn::Set(tag, blocks_.unit[b].inverse);
        PerSubBlock unit, sum;
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes some = nearest_half(hn::Set(tag, largest) * size * grid.factor.load(first)) * inverse;
            const Lanes per_unit = ratio(hn::Set(tag, 1), some);
            Lanes errors = hn::Zero(tag);
            for (int k = b * Blocks::size; k < (b + 1) * Blocks::size; ++k) {
                errors = fused(hn::Set(tag, blocks_.batch.total[k]), error(k, some, per_unit), errors);
            }
            unit.store(first, some);
            sum.store(first, errors);
        }
        return unit[sum.index_of_smallest()];
    }
    void set_units(int b, float d, float dmin) {
        std::fill_n(d_.values + b * Blocks::size, Blocks::size, d);
        std::fill_n(dmin_.values + b * Blocks::size, Blocks::size, dmin);
    }

    // Integers for the chosen d and dmin. The nearest scale and its neighbours each make codes of their own, and the
    // integers that suit those.
    template <int probes>
    void fit_integers() {
        constexpr int central = probes / 2;
        for (int first = 0; first < batch_size; first += lane_count) {
            const Units units{d_.load(first), dmin_.load(first)};
            const AffineMoments free = moments_.load(first);
            const Lanes middle = round(free_scale_.load(first) * units.per_d);
            Lanes inverse[probes], offset[probes];
            AffineMoments m[probes];
            for (int j = 0; j < probes; ++j) {
                const Integers start =
                    nearest(free, (middle + hn::Set(tag, static_cast<float>(j - central))) * units.d, units);
                inverse[j] = ratio(hn::Set(tag, 1), units.d * start.scale);
                offset[j] = units.dmin * start.min * inverse[j];
                m[j].x = free.x;
            }
            Search::moments(blocks_.batch, first, inverse, offset, m);
            Integers best = nearest(m[central], m[central].best(false).scale, units);
            for (int j = 0; j < probes; ++j) {
                if (j != central) best.consider(nearest(m[j], m[j].best(false).scale, units));
            }
            scale_.store(first, best.scale);
            min_.store(first, best.min);
            moments_.store(first, best.behind);
        }
    }

    // d and dmin by least squares over each super-block, if they are better even as binary16.
    void refit_units() {
        PerSubBlock ss, sm, mm, sx, mx;  // s for scale * code, m for min
        for (int first = 0; first < batch_size; first += lane_count) {
            const AffineMoments m = moments_.load(first);
            const Lanes total = blocks_.batch.total.load(first);
            const Lanes scale = scale_.load(first), min = min_.load(first);
            ss.store(first, total * scale * scale * m.cc);
            sm.store(first, total * scale * min * m.c);
            mm.store(first, total * min * min);
            sx.store(first, total * scale * m.cx);
            mx.store(first, total * min * m.x);
        }
        constexpr int size = Blocks::size;
        for (int b = 0; b < super_blocks; ++b) {
            const int from = b * size;
            refit_units(b, ss.sum<size>(from), sm.sum<size>(from), mm.sum<size>(from), sx.sum<size>(from),
                        mx.sum<size>(from));
        }
    }
    HWY_INLINE void refit_units(int b, float ss, float sm, float mm, float sx, float mx) {
        const int from = b * Blocks::size;
        const Unit& unit = blocks_.unit[b];
        const auto error = [&](float d, float dmin) {  // but for the sum of x^2
            return d * (d * ss - 2 * (dmin * sm + sx)) + dmin * (dmin * mm + 2 * mx);
        };
        const float determinant = ss * mm - sm * sm;
        float d = d_[from];
        float dmin = dmin_[from];
        if (determinant > 1e-5f * ss * mm) {
            d = unit.nearest_half((sx * mm - sm * mx) / determinant);
            dmin = unit.nearest_half((sx * sm - ss * mx) / determinant);
        } else if (ss > 0) {
            d = unit.nearest_half((sx + dmin * sm) / ss);
        }
        const bool better = error(d, dmin) < error(d_[from], dmin_[from]);
        if (better) set_units(b, d, dmin);
        error_[b] = error(d_[from], dmin_[from]);
    }

    // For those who have the time: d and dmin from a grid around those chosen, each pair refined to the end; a
    // super-block keeps the best that it came across.
    void search_long() {
        const Moments free = moments_;
        const PerSubBlock d = d_, dmin = dmin_;
        PerSubBlock best_d, best_dmin, best_scale, best_min;
        float least[super_blocks];
        std::fill_n(least, super_blocks, std::numeric_limits<float>::infinity());
        constexpr int side = 4, refinements = 2;
        for (int i = 0; i < side * side; ++i) {
            moments_ = free;
            for (int b = 0; b < super_blocks; ++b) {
                const int from = b * Blocks::size;
                const auto stretched = [&](float unit, int step) {
                    return blocks_.unit[b].nearest_half(unit * (1 + 0.75f / max_scale * static_cast<float>(step - 1)));
                };
                set_units(b, stretched(d[from], i / side), stretched(dmin[from], i % side));
            }
            for (int step = 0; step < refinements; ++step) {
                fit_integers<5>();
                refit_units();
                for (int b = 0; b < super_blocks; ++b) {
                    if (!(error_[b] < least[b])) continue;
                    least[b] = error_[b];
                    for (int k = b * Blocks::size; k < (b + 1) * Blocks::size; ++k) {
                        best_d[k] = d_[k], best_dmin[k] = dmin_[k], best_scale[k] = scale_[k], best_min[k] = min_[k];
                    }
                }
            }
        }
        d_ = best_d, dmin_ = best_dmin, scale_ = best_scale, min_ = best_min;
    }

    const BatchSource<n>& source_;
    Blocks blocks_;
    Moments moments_;
    PerSubBlock free_scale_;
    float largest_scale_[super_blocks]{};
    float largest_min_[super_blocks]{};
    PerSubBlock d_, dmin_;
    PerSubBlock scale_, min_;
    float error_[super_blocks]{};  // but for the sum of x^2
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
