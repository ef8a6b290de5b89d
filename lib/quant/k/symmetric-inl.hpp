// Super-blocks of x ~ d * scale * value (Q3_K, Q6_K, IQ4_XS): d is a binary16, scales are small signed integers, one a
// sub-block. The counterpart of affine-inl.hpp, step for step; spec/quantizers.md says why.
#include <algorithm>
#include <cstdint>
#include <limits>

#include "quant/search/blocks-inl.hpp"
#include "quant/search/symmetric-inl.hpp"

#if defined(GGUFKIT_QUANT_K_SYMMETRIC_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_K_SYMMETRIC_INL_HPP_
#undef GGUFKIT_QUANT_K_SYMMETRIC_INL_HPP_
#else
#define GGUFKIT_QUANT_K_SYMMETRIC_INL_HPP_
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// What the encoder finds in a super-block, before it is packed.
struct SymmetricCodes {
    float d;
    std::int8_t scale[16];
    std::uint8_t code[256];
};

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
        switch (source.effort) {
            case Effort::fast: fit_integers<1>(); break;
            case Effort::normal: fit_integers<3>(); break;
            case Effort::max: search_long(); return;
        }
        for (int b = 0; b < super_blocks; ++b) refit_unit(b);
    }

    void write(Codes (&out)[super_blocks]) const {
        PerSubBlock inverse;
        for (int first = 0; first < batch_size; first += lane_count) {
            inverse.store(first, ratio(hn::Set(tag, 1), d_.load(first) * scale_.load(first)));
        }
        for (int b = 0; b < super_blocks; ++b) {
            const int from = b * Blocks::size;
            write_codes<Values, n>(from, Blocks::size, source_.x, blocks_.factor, inverse, PerSubBlock{}, out[b].code);
            const Unit& unit = blocks_.unit[b];
            const bool overflow = unit.overflows_half(peak_scale_[b] / half_scales);
            out[b].d = overflow ? std::numeric_limits<float>::infinity() : d_[from] * unit.size;
            for (int k = 0; k < Blocks::size; ++k) out[b].scale[k] = static_cast<std::int8_t>(scale_[from + k]);
        }
    }

  private:
    // The moments of sixteen sub-blocks, at rest.
    struct Moments {
        PerSubBlock vv, vx;

        void store(int first, const SymmetricMoments& m) { vv.store(first, m.vv), vx.store(first, m.vx); }
    };

    struct UnitOfScales {
        explicit UnitOfScales(Lanes unit) : d(unit), per_d(ratio(hn::Set(tag, 1), unit)) {}
        Lanes d, per_d;
    };
    struct Integers {
        Lanes scale;
        Lanes error;
        SymmetricMoments behind;

        void consider(const Integers& found) {
            const LaneMask better = found.error < error;
            scale = hn::IfThenElse(better, found.scale, scale);
            error = hn::IfThenElse(better, found.error, error);
            behind.vv = hn::IfThenElse(better, found.behind.vv, behind.vv);
            behind.vx = hn::IfThenElse(better, found.behind.vx, behind.vx);
        }
    };

    // The integer that suits the values behind `m`.
    static Integers nearest(const SymmetricMoments& m, Lanes best_scale, const UnitOfScales& unit) {
        const Lanes scale = clamp(round(best_scale * unit.per_d), -half_scales, half_scales - 1);
        return {scale, m.error(unit.d * scale), m};
    }

    // The best scale of each sub-block by itself, any real number.
    void fit_freely() {
        const auto starts =
            symmetric_starts_for<n, -Values::lowest>(source_.effort, source_.importance != nullptr, Format::starts);
        for (int first = 0; first < batch_size; first += lane_count) {
            const SymmetricMoments m = Search::search(blocks_.batch, first, starts);
            moments_.store(first, m);
            free_scale_.store(first, m.best());
        }
        for (int b = 0; b < super_blocks; ++b) {
            const float lowest = free_scale_.template smallest<Blocks::size>(b * Blocks::size);
            const float highest = free_scale_.template largest<Blocks::size>(b * Blocks::size);
            peak_scale_[b] = -lowest >= highest ? lowest : highest;
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
        const Lanes size = hn::Set(tag, blocks_.unit[b].size), inverse = hn::Set(tag, blocks_.unit[b].inverse);
        PerSubBlock d, error;
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes some_d = nearest_half(hn::Set(tag, peak_scale_[b]) * size * grid.per_d.load(first)) * inverse;
            const Lanes per_d = ratio(hn::Set(tag, 1), some_d);
            Lanes sum = hn::Zero(tag);  // of the errors, but for what is the same for all
            for (int k = b * Blocks::size; k < (b + 1) * Blocks::size; ++k) {
                const Lanes scale =
                    some_d * clamp(round(hn::Set(tag, free_scale_[k]) * per_d), -half_scales, half_scales - 1);
                const Lanes error =
                    scale * fused(scale, hn::Set(tag, moments_.vv[k]), hn::Set(tag, -2 * moments_.vx[k]));
                sum = fused(hn::Set(tag, blocks_.batch.total[k]), error, sum);
            }
            d.store(first, some_d);
            error.store(first, sum);
        }
        set_unit(b, d[error.index_of_smallest()]);
    }
    void set_unit(int b, float d) { std::fill_n(d_.values + b * Blocks::size, Blocks::size, d); }

    // Integers for the chosen d. The nearest scale and its neighbours each make values of their own, and the integer
    // that suits those.
    template <int probes>
    void fit_integers(int reach = 0) {
        for (int first = 0; first < batch_size; first += lane_count) {
            const UnitOfScales unit(d_.load(first));
            const Lanes nearest_scale = round(free_scale_.load(first) * unit.per_d);
            Integers best = fit_neighbours<probes>(first, nearest_scale, unit);
            for (int by = probes; by <= reach; by += probes) {
                const Lanes away = hn::Set(tag, static_cast<float>(by));
                best.consider(fit_neighbours<probes>(first, nearest_scale - away, unit));
                best.consider(fit_neighbours<probes>(first, nearest_scale + away, unit));
            }
            scale_.store(first, best.scale);
            moments_.store(first, best.behind);
        }
    }
    template <int probes>
    Integers fit_neighbours(int first, Lanes middle, const UnitOfScales& unit) const {
        constexpr int central = probes / 2;
        Lanes inverse[probes];
        SymmetricMoments m[probes];
        for (int j = 0; j < probes; ++j) {
            const Lanes scale = middle + hn::Set(tag, static_cast<float>(j - central));
            inverse[j] = ratio(hn::Set(tag, 1), unit.d * clamp(scale, -half_scales, half_scales - 1));
        }
        Search::moments(blocks_.batch, first, inverse, m);
        Integers best = nearest(m[central], m[central].best(), unit);
        for (int j = 0; j < probes; ++j) {
            if (j != central) best.consider(nearest(m[j], m[j].best(), unit));
        }
        return best;
    }

    // d by least squares over the super-block, if it is better even as binary16.
    void refit_unit(int b) {
        const int from = b * Blocks::size;
        PerSubBlock some_vv, some_vx;
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes scale = scale_.load(first), total = blocks_.batch.total.load(first);
            some_vv.store(first, total * scale * scale * moments_.vv.load(first));
            some_vx.store(first, total * scale * moments_.vx.load(first));
        }
        const float vv = some_vv.template sum<Blocks::size>(from), vx = some_vx.template sum<Blocks::size>(from);
        const auto error = [&](float d) { return d * (d * vv - 2 * vx); };  // but for the sum of x^2
        float d = vv > 0 ? blocks_.unit[b].nearest_half(vx / vv) : d_[from];
        if (!(error(d) < error(d_[from]))) d = d_[from];
        set_unit(b, d);
        error_[b] = error(d);
    }

    // For those who have the time: a row of d of either sign around the one chosen, each refined to the end; the best
    // that was come across is kept.
    void search_long() {
        constexpr int steps = 3, refinements = 2;
        const PerSubBlock chosen = d_;
        PerSubBlock best_d, best_scale;  // NOLINT(misc-const-correctness): written through their arrays
        float least[super_blocks];
        std::fill_n(least, super_blocks, std::numeric_limits<float>::infinity());
        for (int i = 0; i < 2 * steps; ++i) {
            const int step_of_d = i / 2 - steps / 2;
            const float stretch = 1 + 0.75f / half_scales * static_cast<float>(step_of_d);
            for (int b = 0; b < super_blocks; ++b) {
                const float d = chosen[b * Blocks::size] * (i % 2 == 0 ? stretch : -stretch);
                set_unit(b, blocks_.unit[b].nearest_half(d));
            }
            for (int step = 0; step < refinements; ++step) {
                fit_integers<3>(3);
                for (int b = 0; b < super_blocks; ++b) {
                    refit_unit(b);
                    if (!(error_[b] < least[b])) continue;
                    least[b] = error_[b];
                    std::copy_n(d_.values + b * Blocks::size, Blocks::size, best_d.values + b * Blocks::size);
                    std::copy_n(scale_.values + b * Blocks::size, Blocks::size, best_scale.values + b * Blocks::size);
                }
            }
        }
        d_ = best_d, scale_ = best_scale;
    }

    const BatchSource<n>& source_;
    Blocks blocks_;
    Moments moments_;
    PerSubBlock free_scale_;
    float peak_scale_[super_blocks]{};
    PerSubBlock d_;
    PerSubBlock scale_;
    float error_[super_blocks]{};  // but for the sum of x^2
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
