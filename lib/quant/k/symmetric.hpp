// Super-blocks of x ~ d * scale * value (Q3_K, Q6_K, IQ4_XS): d is a binary16, scales are small signed integers, one a
// sub-block. The counterpart of affine.hpp, step for step; spec/quantizers.md tells the whole story.
//
// Compiled once for each target, as search/lanes.hpp.
#include <limits>

#include "quant/k/codes.hpp"
#include "quant/k/super_block.hpp"
#include "quant/search/symmetric.hpp"

#if defined(GGUFKIT_QUANT_K_SYMMETRIC_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_K_SYMMETRIC_HPP
#undef GGUFKIT_QUANT_K_SYMMETRIC_HPP
#else
#define GGUFKIT_QUANT_K_SYMMETRIC_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// Format: sub_block, Values, half_scales of scales, starts, weighting.
template <class Format>
class SymmetricEncoder {
    static constexpr int n = Format::sub_block;
    using Values = typename Format::Values;
    static constexpr int half_scales = Format::half_scales;
    using Blocks = SuperBlocks<n>;
    using Search = SymmetricSearch<n, Values>;

  public:
    using Codes = SymmetricCodes;
    static constexpr int sub_block = n;
    static constexpr int super_blocks = Blocks::count;

    explicit SymmetricEncoder(const BatchSource<n>& source) : source_(source), blocks_(source, Format::weighting) {
        fit_freely();
        for (int b = 0; b < super_blocks; ++b) choose_unit(b);
        for (int round = 0; round < (source.effort == Effort::max ? 3 : 1); ++round) {
            fit_integers();
            take_moments();
            for (int b = 0; b < super_blocks; ++b) refit_unit(b);
        }
    }

    void write(Codes (&out)[super_blocks]) const {
        PerSubBlock inverse;
        for (int first = 0; first < batch_size; first += lane_count) {
            inverse.store(first, ratio(splat(1), d_.load(first) * scale_.load(first)));
        }
        std::uint8_t codes[batch_size * n];
        write_codes<Values, n>(source_.x, blocks_.factor, inverse, PerSubBlock{}, codes);
        for (int b = 0; b < super_blocks; ++b) {
            const Unit& unit = blocks_.unit[b];
            const int from = b * Blocks::size;
            const bool overflow = unit.overflows_half(peak_scale_[b] / half_scales);
            out[b].d = overflow ? std::numeric_limits<float>::infinity() : d_[from] * unit.size;
            for (int k = 0; k < Blocks::size; ++k) out[b].scale[k] = static_cast<std::int8_t>(scale_[from + k]);
            std::memcpy(out[b].code, codes + b * super_block_size, super_block_size);
        }
    }

  private:
    // The moments of sixteen sub-blocks, at rest.
    struct Moments {
        PerSubBlock xx, vv, vx;

        SymmetricMoments load(int first) const { return {xx.load(first), vv.load(first), vx.load(first)}; }
        void store(int first, const SymmetricMoments& m) {
            xx.store(first, m.xx), vv.store(first, m.vv), vx.store(first, m.vx);
        }
    };

    struct UnitOfScales {
        explicit UnitOfScales(Lanes unit) : d(unit), per_d(ratio(splat(1), unit)) {}
        Lanes d, per_d;
    };
    struct Integers {
        Lanes scale;
        Lanes error;
    };

    // The integer that suits the values behind `m`.
    static Integers nearest(const SymmetricMoments& m, Lanes best_scale, const UnitOfScales& unit) {
        const Lanes scale = clamp(round(best_scale * unit.per_d), -half_scales, half_scales - 1);
        return {scale, m.error(unit.d * scale)};
    }

    // The best scale of each sub-block by itself, any real number.
    void fit_freely() {
        const Effort effort = source_.importance && Format::long_with_importance ? Effort::max : source_.effort;
        const auto starts = symmetric_starts_for<n, -Values::lowest>(effort, Format::starts);
        for (int first = 0; first < batch_size; first += lane_count) {
            const SymmetricMoments m = Search::search(blocks_.batch, first, starts);
            moments_.store(first, m);
            free_scale_.store(first, m.best());
        }
        for (int k = 0; k < batch_size; ++k) {
            float& peak = peak_scale_[k / Blocks::size];
            if (std::abs(free_scale_[k]) > std::abs(peak)) peak = free_scale_[k];
        }
    }

    // What the scale of largest magnitude is multiplied by.
    struct Grid {
        PerSubBlock per_d;

        constexpr Grid() {
            for (int k = 0; k < batch_size; ++k) {
                const int around = k / 2 - 3;
                per_d[k] = 1.0f / static_cast<float>(k % 2 == 0 ? -half_scales - around : half_scales - 1 + around);
            }
        }
    };

    // d from those, of either sign, that make the scale of largest magnitude about the lowest or the highest integer:
    // the one that is best for the moments. Here a lane is a d.
    void choose_unit(int b) {
        static constexpr Grid grid;
        const Lanes size = splat(blocks_.unit[b].size), inverse = splat(blocks_.unit[b].inverse);
        PerSubBlock d, error;
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes some_d = nearest_half(splat(peak_scale_[b]) * size * grid.per_d.load(first)) * inverse;
            const Lanes per_d = ratio(splat(1), some_d);
            Lanes sum = zero();  // of the errors, but for what is the same for all
            for (int k = b * Blocks::size; k < (b + 1) * Blocks::size; ++k) {
                const Lanes scale = some_d * clamp(round(splat(free_scale_[k]) * per_d), -half_scales, half_scales - 1);
                sum += scale * (scale * splat(moments_.vv[k]) - splat(2 * moments_.vx[k]));
            }
            d.store(first, some_d);
            error.store(first, sum);
        }
        set_unit(b, d[static_cast<int>(std::min_element(error.values, error.values + batch_size) - error.values)]);
    }
    void set_unit(int b, float d) { std::fill_n(d_.values + b * Blocks::size, Blocks::size, d); }

    // Integers for the chosen d. The nearest scale and its neighbours each make values of their own, and the integer
    // that suits those.
    void fit_integers() {
        for (int first = 0; first < batch_size; first += lane_count) {
            const UnitOfScales unit(d_.load(first));
            const Lanes middle = round(free_scale_.load(first) * unit.per_d);
            constexpr int probes = 3;
            Lanes inverse[probes];
            SymmetricMoments m[probes] = {moments_.load(first), moments_.load(first), moments_.load(first)};
            for (int j = 0; j < probes; ++j) {
                const Lanes scale = clamp(middle + splat(static_cast<float>(j - 1)), -half_scales, half_scales - 1);
                inverse[j] = ratio(splat(1), unit.d * scale);
            }
            Search::moments(blocks_.batch, first, inverse, m);
            Integers best = nearest(m[1], m[1].best(), unit);
            for (const int j : {0, 2}) {
                const Integers found = nearest(m[j], m[j].best(), unit);
                const LaneMask better = found.error < best.error;
                best.scale = select(better, found.scale, best.scale);
                best.error = select(better, found.error, best.error);
            }
            scale_.store(first, best.scale);
        }
    }

    // The moments of the values that suit the integers.
    void take_moments() {
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes inverse = ratio(splat(1), d_.load(first) * scale_.load(first));
            moments_.store(first, Search::moments(blocks_.batch, first, moments_.xx.load(first), inverse));
        }
    }

    // d by least squares over the super-block, if it is better even as binary16.
    void refit_unit(int b) {
        const int from = b * Blocks::size;
        float vv = 0, vx = 0;
        for (int k = from; k < from + Blocks::size; ++k) {
            vv += scale_[k] * scale_[k] * moments_.vv[k];
            vx += scale_[k] * moments_.vx[k];
        }
        if (vv <= 0) return;
        const float d = blocks_.unit[b].nearest_half(vx / vv);
        if (error(b, d) < error(b, d_[from])) set_unit(b, d);
    }
    float error(int b, float d) const {
        PerSubBlock errors;
        for (int first = 0; first < batch_size; first += lane_count) {
            errors.store(first, moments_.load(first).error(splat(d) * scale_.load(first)));
        }
        float sum = 0;
        for (int k = 0; k < Blocks::size; ++k) sum += errors[b * Blocks::size + k];
        return sum;
    }

    const BatchSource<n>& source_;
    Blocks blocks_;
    Moments moments_;
    PerSubBlock free_scale_;
    float peak_scale_[super_blocks]{};
    PerSubBlock d_;
    PerSubBlock scale_;
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
