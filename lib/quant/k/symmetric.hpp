// Super-blocks of x ~ d * scale * value (Q3_K, Q6_K): d is a binary16, scales are small signed integers, one a
// sub-block. The counterpart of affine.hpp, step for step; spec/quantizers.md tells the whole story.
#pragma once

#include <cstdint>
#include <limits>

#include "quant/k/super_block.hpp"
#include "quant/search/symmetric.hpp"

namespace ggufkit::quant {

struct SymmetricCodes {
    float d;
    std::int8_t scale[16];
    std::uint8_t code[super_block_size];  // value + half_range
};

// Format: sub_block, half_range of values, half_scales of scales, weighting.
template <class Format>
class SymmetricEncoder {
    static constexpr int n = Format::sub_block;
    static constexpr int half_range = Format::half_range;
    static constexpr int half_scales = Format::half_scales;
    using Block = SuperBlock<n>;
    using Search = SymmetricSearch<n, half_range>;
    static constexpr int groups = Block::groups;

  public:
    using Codes = SymmetricCodes;

    static void encode(const float* x, const float* importance, Codes& out) {
        SymmetricEncoder e(x, importance);
        e.fit_freely();
        e.choose_unit();
        e.fit_integers();
        e.refit_unit();
        e.write(out);
    }

  private:
    SymmetricEncoder(const float* x, const float* importance) : block_(x, importance, Format::weighting) {}

    struct Unit {
        Lanes d;
        Lanes per_d = ratio(splat(1), d);
    };
    struct Integers {
        Lanes scale;
        Lanes error;
    };

    // The integer that suits the values behind `m`.
    static Integers nearest(const SymmetricMoments& m, Lanes best_scale, const Unit& unit) {
        const Lanes scale = clamp(round(best_scale * unit.per_d), -half_scales, half_scales - 1);
        return {scale, m.error(unit.d * scale)};
    }

    // The best scale of each sub-block by itself, any real number.
    void fit_freely() {
        for (int g = 0; g < groups; ++g) {
            moments_[g] = Search::search(block_.group[g]);
            free_scale_[g] = moments_[g].best();
            for (int k = 0; k < lane_count; ++k) {
                if (std::abs(free_scale_[g][k]) > std::abs(peak_scale_)) peak_scale_ = free_scale_[g][k];
            }
        }
    }

    // d from those, of either sign, that make the scale of largest magnitude about the lowest or the highest integer:
    // the one that is best for the moments. Here a lane is a d.
    void choose_unit() {
        constexpr int steps = 16;
        const auto divisor = [](int step) {
            const int around = step / 2 - 3;
            return static_cast<float>(step % 2 == 0 ? -half_scales - around : half_scales - 1 + around);
        };
        float least = std::numeric_limits<float>::infinity();
        for (int i = 0; i < steps; i += lane_count) {
            Lanes d{};
            for (int k = 0; k < lane_count; ++k) d[k] = block_.unit.nearest_half(peak_scale_ / divisor(i + k));
            const Lanes error = error_of_nearest({d});
            for (int k = 0; k < lane_count; ++k) {
                if (!(error[k] < least)) continue;
                least = error[k];
                d_ = d[k];
            }
        }
    }
    Lanes error_of_nearest(const Unit& unit) const {
        Lanes sum{};
        for (int g = 0; g < groups; ++g) {
            const SymmetricMoments& m = moments_[g];
            for (int k = 0; k < lane_count; ++k) {
                const SymmetricMoments everywhere{splat(m.xx[k]), splat(m.vv[k]), splat(m.vx[k])};
                sum += nearest(everywhere, splat(free_scale_[g][k]), unit).error;
            }
        }
        return sum;
    }

    // Integers for the chosen d. The nearest scale and its neighbours each make values of their own, and the integer
    // that suits those.
    void fit_integers() {
        const Unit unit{splat(d_)};
        for (int g = 0; g < groups; ++g) {
            const Lanes middle = round(free_scale_[g] * unit.per_d);
            Integers best{{}, splat(std::numeric_limits<float>::infinity())};
            for (const float probe : {0.0f, -1.0f, 1.0f}) {
                const SymmetricMoments m = coded(g, clamp(middle + probe, -half_scales, half_scales - 1));
                const Integers found = nearest(m, m.best(), unit);
                const LaneMask better = found.error < best.error;
                best.scale = select(better, found.scale, best.scale);
                best.error = select(better, found.error, best.error);
            }
            scale_[g] = best.scale;
        }
    }
    SymmetricMoments coded(int g, Lanes scale) const {
        return Search::moments(block_.group[g], moments_[g].xx, ratio(splat(1), d_ * scale));
    }

    // d by least squares over the super-block, if it is better even as binary16.
    void refit_unit() {
        float vv = 0, vx = 0;
        for (int g = 0; g < groups; ++g) {
            moments_[g] = coded(g, scale_[g]);
            add(vv, scale_[g] * scale_[g] * moments_[g].vv);
            add(vx, scale_[g] * moments_[g].vx);
        }
        const float d = vv > 0 ? block_.unit.nearest_half(vx / vv) : d_;
        if (error(d) < error(d_)) d_ = d;
    }
    float error(float d) const {
        float sum = 0;
        for (int g = 0; g < groups; ++g) add(sum, moments_[g].error(d * scale_[g]));
        return sum;
    }

    void write(Codes& out) const {
        const bool overflow = block_.unit.overflows_half(peak_scale_ / half_scales);
        out.d = overflow ? std::numeric_limits<float>::infinity() : d_ * block_.unit.size;
        for (int k = 0; k < Block::count; ++k) out.scale[k] = static_cast<std::int8_t>(sub_block(scale_, k));
        for (int g = 0; g < groups; ++g) {
            write_codes(block_.group[g], ratio(splat(1), d_ * scale_[g]), Lanes{}, -half_range, half_range - 1,
                        out.code + g * lane_count * n);
        }
    }

    Block block_;
    SymmetricMoments moments_[groups];
    Lanes free_scale_[groups];
    float peak_scale_ = 0;
    float d_ = 0;
    Lanes scale_[groups];
};

}  // namespace ggufkit::quant
