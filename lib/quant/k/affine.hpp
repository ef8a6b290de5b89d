// Super-blocks of x ~ d * scale * code - dmin * min (Q2_K, Q4_K, Q5_K): d and dmin are binary16, scales and mins small
// integers, one of each a sub-block. spec/quantizers.md tells the whole story.
//
// Compiled once for each target, as search/lanes.hpp.
#include <limits>

#include "quant/k/codes.hpp"
#include "quant/k/super_block.hpp"
#include "quant/search/affine.hpp"

#if defined(GGUFKIT_QUANT_K_AFFINE_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_K_AFFINE_HPP
#undef GGUFKIT_QUANT_K_AFFINE_HPP
#else
#define GGUFKIT_QUANT_K_AFFINE_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

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
        for (int b = 0; b < super_blocks; ++b) choose_units(b);
        for (int round = 0; round < (source.effort == Effort::max ? 3 : 1); ++round) {
            fit_integers();
            for (int b = 0; b < super_blocks; ++b) refit_units(b);
        }
    }

    void write(Codes (&out)[super_blocks]) const {
        PerSubBlock inverse, offset;
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes v = ratio(splat(1), d_.load(first) * scale_.load(first));
            inverse.store(first, v);
            offset.store(first, dmin_.load(first) * min_.load(first) * v);
        }
        std::uint8_t codes[batch_size * n];
        write_codes<n>(source_.x, blocks_.factor, inverse, offset, 0, Format::max_code, codes);
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
            std::memcpy(out[b].code, codes + b * super_block_size, super_block_size);
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
            : d(scale_unit), dmin(min_unit), per_d(ratio(splat(1), d)), per_dmin(ratio(splat(1), dmin)) {}
        Lanes d, dmin, per_d, per_dmin;
    };
    struct Integers {
        Lanes scale, min;
        Lanes error;
        AffineMoments behind;
    };

    // The integers that suit the codes behind `m`: the scale nearest to the best, then the min that is best beside it.
    static Integers nearest(const AffineMoments& m, Lanes best_scale, const Units& units) {
        const Lanes scale = clamp(round(best_scale * units.per_d), 0, max_scale);
        const Lanes min = clamp(round(m.best_min(units.d * scale) * units.per_dmin), 0, max_scale);
        return {scale, min, m.error({units.d * scale, units.dmin * min}), m};
    }

    // The best scale and min of each sub-block by itself, any real number.
    void fit_freely() {
        const auto starts = affine_starts_for<n, Format::max_code>(source_.effort, Format::starts);
        PerSubBlock free_min;
        for (int first = 0; first < batch_size; first += lane_count) {
            const AffineMoments m = Search::search(blocks_.batch, first, false, starts);
            const AffineFit fit = m.best(false);
            moments_.store(first, m);
            free_scale_.store(first, fit.scale);
            free_min.store(first, fit.min);
        }
        for (int k = 0; k < batch_size; ++k) {
            float& scale = largest_scale_[k / Blocks::size];
            float& min = largest_min_[k / Blocks::size];
            scale = std::max(scale, free_scale_[k]);
            min = std::max(min, free_min[k]);
        }
    }

    // What the largest scale and the largest min are multiplied by.
    struct Grid {
        static constexpr int steps = 8, rounds = steps / 2;
        static_assert(2 * steps == batch_size);
        PerSubBlock per_d, per_dmin[rounds];

        constexpr Grid() {
            for (int k = 0; k < batch_size; ++k) {
                per_d[k] = 1.0f / static_cast<float>(max_scale - 3 + k % steps);
                for (int r = 0; r < rounds; ++r) {
                    per_dmin[r][k] = 1.0f / static_cast<float>(max_scale - 3 + 2 * r + k / steps);
                }
            }
        }
    };

    // d and dmin from a grid of eight by eight around those that make the largest scale and the largest min the largest
    // integer: the pair that is best for the moments. Here a lane is a pair: each d twice, beside two mins.
    void choose_units(int b) {
        constexpr int rounds = Grid::rounds;
        static constexpr Grid grid;
        const Lanes size = splat(blocks_.unit[b].size), inverse = splat(blocks_.unit[b].inverse);
        const Lanes scale = splat(largest_scale_[b]) * size, min = splat(largest_min_[b]) * size;
        PerSubBlock d, dmin, error;
        for (int first = 0; first < batch_size; first += lane_count) {
            Lanes some_dmin[rounds], sum[rounds];
            const Lanes some_d = nearest_half(scale * grid.per_d.load(first)) * inverse;
            for (int r = 0; r < rounds; ++r) {
                some_dmin[r] = nearest_half(min * grid.per_dmin[r].load(first)) * inverse;
            }
            add_errors(b, some_d, some_dmin, sum);
            for (int r = 1; r < rounds; ++r) {
                const LaneMask better = sum[r] < sum[0];
                sum[0] = select(better, sum[r], sum[0]);
                some_dmin[0] = select(better, some_dmin[r], some_dmin[0]);
            }
            d.store(first, some_d);
            dmin.store(first, some_dmin[0]);
            error.store(first, sum[0]);
        }
        const auto best = std::min_element(error.values, error.values + batch_size) - error.values;
        set_units(b, d[static_cast<int>(best)], dmin[static_cast<int>(best)]);
    }
    // The errors of a super-block with the nearest integers, but for what is the same for all units. nearest() written
    // out, with what depends on d alone done once.
    template <int rounds>
    void add_errors(int b, Lanes d, const Lanes (&dmin)[rounds], Lanes (&sum)[rounds]) const {
        const Lanes per_d = ratio(splat(1), d);
        Lanes per_dmin[rounds];
        for (int r = 0; r < rounds; ++r) {
            per_dmin[r] = ratio(splat(1), dmin[r]);
            sum[r] = zero();
        }
        for (int k = b * Blocks::size; k < (b + 1) * Blocks::size; ++k) {
            const Lanes scale = d * clamp(round(splat(free_scale_[k]) * per_d), 0, max_scale);
            const Lanes best_min = scale * splat(moments_.c[k]) - splat(moments_.x[k]);
            const Lanes error = scale * (scale * splat(moments_.cc[k]) - splat(2 * moments_.cx[k]));
            const Lanes weight = splat(blocks_.batch.total[k]);
            for (int r = 0; r < rounds; ++r) {
                const Lanes min = dmin[r] * clamp(round(best_min * per_dmin[r]), 0, max_scale);
                sum[r] += weight * (error + min * (min - (best_min + best_min)));
            }
        }
    }
    void set_units(int b, float d, float dmin) {
        std::fill_n(d_.values + b * Blocks::size, Blocks::size, d);
        std::fill_n(dmin_.values + b * Blocks::size, Blocks::size, dmin);
    }

    // Integers for the chosen d and dmin. The nearest scale and its neighbours each make codes of their own, and the
    // integers that suit those.
    void fit_integers() {
        for (int first = 0; first < batch_size; first += lane_count) {
            const Units units{d_.load(first), dmin_.load(first)};
            const AffineMoments free = moments_.load(first);
            const Lanes middle = round(free_scale_.load(first) * units.per_d);
            constexpr int probes = 3;
            Lanes inverse[probes], offset[probes];
            AffineMoments m[probes] = {free, free, free};
            for (int j = 0; j < probes; ++j) {
                const Integers start = nearest(free, (middle + splat(static_cast<float>(j - 1))) * units.d, units);
                inverse[j] = ratio(splat(1), units.d * start.scale);
                offset[j] = units.dmin * start.min * inverse[j];
            }
            Search::moments(blocks_.batch, first, inverse, offset, m);
            Integers best = nearest(m[1], m[1].best(false).scale, units);
            for (const int j : {0, 2}) {
                const Integers found = nearest(m[j], m[j].best(false).scale, units);
                const LaneMask better = found.error < best.error;
                best.scale = select(better, found.scale, best.scale);
                best.min = select(better, found.min, best.min);
                best.error = select(better, found.error, best.error);
                best.behind.c = select(better, found.behind.c, best.behind.c);
                best.behind.cc = select(better, found.behind.cc, best.behind.cc);
                best.behind.cx = select(better, found.behind.cx, best.behind.cx);
            }
            scale_.store(first, best.scale);
            min_.store(first, best.min);
            moments_.store(first, best.behind);
        }
    }
    // d and dmin by least squares over the super-block, if they are better even as binary16.
    void refit_units(int b) {
        const int from = b * Blocks::size;
        const Unit& unit = blocks_.unit[b];
        float ss = 0, sm = 0, mm = 0, sx = 0, mx = 0;  // s for scale * code, m for min
        for (int k = from; k < from + Blocks::size; ++k) {
            const float scale = scale_[k] * blocks_.batch.total[k], min = min_[k] * blocks_.batch.total[k];
            ss += scale * scale_[k] * moments_.cc[k];
            sm += scale * min_[k] * moments_.c[k];
            mm += min * min_[k];
            sx += scale * moments_.cx[k];
            mx += min * moments_.x[k];
        }
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
        if (error(d, dmin) < error(d_[from], dmin_[from])) set_units(b, d, dmin);
    }

    const BatchSource<n>& source_;
    Blocks blocks_;
    Moments moments_;
    PerSubBlock free_scale_;
    float largest_scale_[super_blocks]{};
    float largest_min_[super_blocks]{};
    PerSubBlock d_, dmin_;
    PerSubBlock scale_, min_;
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
