// Super-blocks of x ~ d * scale * code - dmin * min (Q2_K, Q4_K, Q5_K): d and dmin are binary16, scales and mins small
// integers, one of each a sub-block. spec/quantizers.md tells the whole story.
#pragma once

#include <cstdint>
#include <limits>

#include "quant/k/super_block.hpp"
#include "quant/search/affine.hpp"

namespace ggufkit::quant {

struct AffineCodes {
    float d;
    float dmin;
    std::uint8_t scale[16];
    std::uint8_t min[16];
    std::uint8_t code[super_block_size];
};

// Format: sub_block, max_code, max_scale.
template <class Format>
class AffineEncoder {
    static constexpr int n = Format::sub_block;
    static constexpr int max_scale = Format::max_scale;
    using Block = SuperBlock<n>;
    using Search = AffineSearch<n, Format::max_code>;
    static constexpr int groups = Block::groups;

  public:
    using Codes = AffineCodes;

    static void encode(const float* x, const float* importance, Codes& out) {
        AffineEncoder e(x, importance);
        e.fit_freely();
        e.choose_units();
        e.fit_integers();
        e.refit_units();
        e.write(out);
    }

  private:
    AffineEncoder(const float* x, const float* importance) : block_(x, importance, Weighting::linear) {}

    // What scales and mins are multiples of, and by what to multiply to get the multiple.
    struct Units {
        Lanes d, dmin;
        Lanes per_d = ratio(splat(1), d), per_dmin = ratio(splat(1), dmin);
    };
    struct Integers {
        Lanes scale, min;
        Lanes error;
    };

    // The integers that suit the codes behind `m`: the scale nearest to the best, then the min that is best beside it.
    static Integers nearest(const AffineMoments& m, Lanes best_scale, const Units& units) {
        const Lanes scale = clamp(round(best_scale * units.per_d), 0, max_scale);
        const Lanes min = clamp(round(m.best_min(units.d * scale) * units.per_dmin), 0, max_scale);
        return {scale, min, m.error({units.d * scale, units.dmin * min})};
    }

    // The best scale and min of each sub-block by itself, any real number.
    void fit_freely() {
        for (int g = 0; g < groups; ++g) {
            moments_[g] = Search::search(block_.group[g], false);
            const AffineFit fit = moments_[g].best(false);
            free_scale_[g] = fit.scale;
            for (int k = 0; k < lane_count; ++k) {
                largest_scale_ = std::max(largest_scale_, fit.scale[k]);
                largest_min_ = std::max(largest_min_, fit.min[k]);
            }
        }
    }

    // d and dmin from a grid around those that make the largest scale and the largest min the largest integer: the pair
    // that is best for the moments. Here a lane is a pair.
    void choose_units() {
        constexpr int steps = 8;
        float d[steps], dmin[steps];
        for (int i = 0; i < steps; ++i) {
            const auto divisor = static_cast<float>(max_scale - 3 + i);
            d[i] = block_.unit.nearest_half(largest_scale_ / divisor);
            dmin[i] = block_.unit.nearest_half(largest_min_ / divisor);
        }
        float least = std::numeric_limits<float>::infinity();
        for (int i = 0; i < steps * steps; i += lane_count) {
            Lanes some_d{}, some_dmin{};
            for (int k = 0; k < lane_count; ++k) {
                some_d[k] = d[(i + k) / steps];
                some_dmin[k] = dmin[(i + k) % steps];
            }
            const Lanes error = error_of_nearest({some_d, some_dmin});
            for (int k = 0; k < lane_count; ++k) {
                if (!(error[k] < least)) continue;
                least = error[k];
                d_ = some_d[k];
                dmin_ = some_dmin[k];
            }
        }
    }
    Lanes error_of_nearest(const Units& units) const {
        Lanes sum{};
        for (int g = 0; g < groups; ++g) {
            const AffineMoments& m = moments_[g];
            for (int k = 0; k < lane_count; ++k) {
                const AffineMoments everywhere{splat(m.one[k]), splat(m.x[k]),  splat(m.xx[k]),
                                               splat(m.c[k]),   splat(m.cc[k]), splat(m.cx[k])};
                sum += nearest(everywhere, splat(free_scale_[g][k]), units).error;
            }
        }
        return sum;
    }

    // Integers for the chosen d and dmin. The nearest scale and its neighbours each make codes of their own, and the
    // integers that suit those.
    void fit_integers() {
        const Units units{splat(d_), splat(dmin_)};
        for (int g = 0; g < groups; ++g) {
            const Lanes middle = round(free_scale_[g] * units.per_d);
            Integers best{{}, {}, splat(std::numeric_limits<float>::infinity())};
            for (const float probe : {0.0f, -1.0f, 1.0f}) {
                const Integers start = nearest(moments_[g], (middle + probe) * units.d, units);
                const AffineMoments m = coded(g, start.scale, start.min);
                const Integers found = nearest(m, m.best(false).scale, units);
                const LaneMask better = found.error < best.error;
                best.scale = select(better, found.scale, best.scale);
                best.min = select(better, found.min, best.min);
                best.error = select(better, found.error, best.error);
            }
            scale_[g] = best.scale;
            min_[g] = best.min;
        }
    }
    AffineMoments coded(int g, Lanes scale, Lanes min) const {
        return Search::moments(block_.group[g], moments_[g], {d_ * scale, dmin_ * min});
    }

    // d and dmin by least squares over the super-block, if they are better even as binary16.
    void refit_units() {
        float ss = 0, sm = 0, mm = 0, sx = 0, mx = 0;  // s for scale * code, m for min
        for (int g = 0; g < groups; ++g) {
            const AffineMoments& m = moments_[g] = coded(g, scale_[g], min_[g]);
            add(ss, scale_[g] * scale_[g] * m.cc);
            add(sm, scale_[g] * min_[g] * m.c);
            add(mm, min_[g] * min_[g] * m.one);
            add(sx, scale_[g] * m.cx);
            add(mx, min_[g] * m.x);
        }
        const float determinant = ss * mm - sm * sm;
        float d = d_;
        float dmin = dmin_;
        if (determinant > 1e-5f * ss * mm) {
            d = block_.unit.nearest_half((sx * mm - sm * mx) / determinant);
            dmin = block_.unit.nearest_half((sx * sm - ss * mx) / determinant);
        } else if (ss > 0) {
            d = block_.unit.nearest_half((sx + dmin * sm) / ss);
        }
        if (error(d, dmin) < error(d_, dmin_)) {
            d_ = d;
            dmin_ = dmin;
        }
    }
    float error(float d, float dmin) const {
        float sum = 0;
        for (int g = 0; g < groups; ++g) add(sum, moments_[g].error({d * scale_[g], dmin * min_[g]}));
        return sum;
    }

    void write(Codes& out) const {
        const bool overflow = block_.unit.overflows_half(largest_scale_ / max_scale) ||
                              block_.unit.overflows_half(largest_min_ / max_scale);
        out.d = overflow ? std::numeric_limits<float>::infinity() : d_ * block_.unit.size;
        out.dmin = dmin_ * block_.unit.size;
        for (int k = 0; k < Block::count; ++k) {
            out.scale[k] = static_cast<std::uint8_t>(sub_block(scale_, k));
            out.min[k] = static_cast<std::uint8_t>(sub_block(min_, k));
        }
        for (int g = 0; g < groups; ++g) {
            const Lanes inverse = ratio(splat(1), d_ * scale_[g]);
            write_codes(block_.group[g], inverse, dmin_ * min_[g] * inverse, 0, Format::max_code,
                        out.code + g * lane_count * n);
        }
    }

    Block block_;
    AffineMoments moments_[groups];
    Lanes free_scale_[groups];
    float largest_scale_ = 0;
    float largest_min_ = 0;
    float d_ = 0;
    float dmin_ = 0;
    Lanes scale_[groups];
    Lanes min_[groups];
};

}  // namespace ggufkit::quant
