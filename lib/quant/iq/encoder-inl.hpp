// Super-blocks of x ~ d * (2 scale + 1) * v, v made of the points of a codebook: d is a binary16, scales are small
// integers, one a sub-block. Step for step what k/symmetric-inl.hpp does, with points in place of values; but as points
// are coarse, moments tell less of what other scales would cost. spec/quantizers.md says why.
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>

#include "quant/iq/nearest-inl.hpp"
#include "quant/search/blocks-inl.hpp"

#if defined(GGUFKIT_QUANT_IQ_ENCODER_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_IQ_ENCODER_INL_HPP_
#undef GGUFKIT_QUANT_IQ_ENCODER_INL_HPP_
#else
#define GGUFKIT_QUANT_IQ_ENCODER_INL_HPP_
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// What the encoder finds in a super-block, before it is packed.
struct CodebookCodes {
    float d;
    unsigned scale[16];       // of each sub-block
    std::uint16_t point[64];  // indices in the codebook, of 8 or 4 elements each
    std::uint8_t signs[32];   // of each group of eight elements: bit i is set where element i is negative
    unsigned down[32];        // of each group, where elements are shifted: 1 for down
};

template <class Format>
class CodebookEncoder {
    static constexpr int n = Format::sub_block;
    static constexpr int top = 2 * Format::max_scale + 1;  // the largest multiple of d
    using Blocks = SuperBlocks<n>;

  public:
    using Codes = CodebookCodes;
    static constexpr int sub_block = n;
    static constexpr int super_blocks = Blocks::count;

    explicit CodebookEncoder(const BatchSource<n>& source)
        : source_(source),
          blocks_(source, Weighting::flat),
          rough_(rough_tries(source.effort)),
          points_(tries(source.effort)) {
        fit_freely();
        for (int b = 0; b < super_blocks; ++b) choose_unit(b);
        for (int round = 0; round < (source.effort == Effort::max ? 3 : 1); ++round) {
            fit_integers();
            for (int b = 0; b < super_blocks; ++b) refit_unit(b);
        }
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes inverse = ratio(hn::Set(tag, 1), d_.load(first) * multiple_.load(first));
            final_.choose(blocks_.batch, first, inverse, chosen_);
        }
    }

    void write(Codes (&out)[super_blocks]) const {
        constexpr int groups = n / 8, points = n / Format::length;
        for (int b = 0; b < super_blocks; ++b) {
            const Unit& unit = blocks_.unit[b];
            const bool overflow = unit.overflows_half(largest_[b] / top);
            out[b].d = overflow ? std::numeric_limits<float>::infinity() : d_[b * Blocks::size] * gain(b) * unit.size;
            for (int j = 0; j < Blocks::size; ++j) {
                const int k = b * Blocks::size + j;
                out[b].scale[j] = static_cast<std::uint8_t>(static_cast<int>(multiple_[k]) / 2);
                for (int i = 0; i < points; ++i) out[b].point[points * j + i] = point(k, i);
                for (int g = 0; g < groups; ++g) {
                    out[b].signs[groups * j + g] = signs(k, g);
                    out[b].down[groups * j + g] = static_cast<std::uint8_t>(chosen_.mark[g][k]);
                }
            }
        }
    }

  private:
    static int tries(Effort effort) {
        if (effort == Effort::max) return Neighbours::listed;
        return effort == Effort::fast ? Format::usual_tries / 2 : Format::usual_tries;
    }
    static int rough_tries(Effort effort) {
        if (effort == Effort::max) return Neighbours::listed;
        return effort == Effort::fast ? 2 : Format::rough_tries;
    }
    static std::span<const float> starts(Effort effort) {
        const std::span<const float> all = Format::starts;
        return effort == Effort::max ? all : all.first(effort == Effort::fast ? 1 : Format::usual_starts);
    }

    // The least error makes numbers smaller than they were: of what points miss, nothing comes back. A whole matrix of
    // them makes activations smaller, and a whole model of those is worse than the error tells. So d is made larger, as
    // far as gives a super-block its size back where importance tells what sizes matter, and a third as far where not.
    float gain(int b) const {
        const Sums s = sums(b);
        if (!(s.vx > 0)) return 1;
        const float whole = std::sqrt(s.xx) * std::sqrt(s.vv) / s.vx;
        return source_.importance ? whole : 1 + (whole - 1) * (1.0f / 3);
    }
    // The index in the codebook of point i of sub-block k.
    std::uint16_t point(int k, int i) const {
        constexpr unsigned mask = (1u << Format::word_bits) - 1;
        return neighbours_of<Format::grid>().index_of(static_cast<unsigned>(chosen_.word[i][k]) & mask);
    }
    // Of a group of sub-block k: bit i is set where element i is to be negative.
    std::uint8_t signs(int k, int group) const {
        unsigned bits = 0;
        for (int i = 0; i < 8; ++i) {
            bits |= static_cast<unsigned>(std::signbit(blocks_.batch.x[8 * group + i][k])) << i;
        }
        if constexpr (Format::signs == Signs::even) {
            if (const int part = chosen_.mark[group][k]; part != 0) bits ^= 1u << wrong_sign(k, group, part - 1);
        }
        return static_cast<std::uint8_t>(bits);
    }
    // The element of a point whose wrong sign costs least.
    int wrong_sign(int k, int group, int part) const {
        auto word = static_cast<unsigned>(chosen_.word[group * Chosen<Format>::parts + part][k]);
        int best = 0;
        float least = std::numeric_limits<float>::infinity();
        constexpr int bits = Format::word_bits / Format::length;
        for (int i = part * Format::length; i < (part + 1) * Format::length; ++i, word >>= bits) {
            const float value = Format::values[0].of[word & ((1u << bits) - 1)];
            const float cost = std::abs(blocks_.batch.w[8 * group + i][k] * blocks_.batch.x[8 * group + i][k]) * value;
            if (cost < least) {
                least = cost;
                best = i;
            }
        }
        return best;
    }

    struct Moments {
        PerSubBlock vv, vx;
        void store(int first, const SymmetricMoments& m) { vv.store(first, m.vv), vx.store(first, m.vx); }
    };

    // The best scale of each sub-block by itself, any number that is not negative.
    void fit_freely() {
        const auto some_starts = starts(source_.effort);
        const Batch<n>& batch = blocks_.batch;
        for (int first = 0; first < batch_size; first += lane_count) {
            Lanes peak = hn::Zero(tag), xx = hn::Zero(tag);
            for (int i = 0; i < n; ++i) {
                const Lanes x = batch.x_at(i, first);
                peak = hn::Max(peak, hn::Abs(x));
                xx = fused(batch.w_at(i, first) * x, x, xx);
            }
            const Lanes per_peak = ratio(hn::Set(tag, 1), peak);
            SymmetricMoments best{hn::Set(tag, 1), hn::Zero(tag)};
            // The error that points take away is vx^2 / vv; such fractions are compared without a division.
            const auto consider = [&](const SymmetricMoments& m) {
                const Lanes vx = hn::Max(m.vx, hn::Zero(tag));
                const LaneMask better = vx * vx * best.vv > best.vx * best.vx * m.vv;
                best.vv = hn::IfThenElse(better, m.vv, best.vv);
                best.vx = hn::IfThenElse(better, vx, best.vx);
            };
            for (const float start : some_starts)
                consider(rough_.moments(batch, first, hn::Set(tag, start) * per_peak));
            consider(rough_.moments(batch, first, ratio(best.vv, best.vx)));
            moments_.store(first, best);
            free_scale_.store(first, best.best());
            xx_.store(first, xx);
        }
        for (int b = 0; b < super_blocks; ++b) {
            largest_[b] = free_scale_.template largest<Blocks::size>(b * Blocks::size);
        }
    }

    // The odd number, at most `top`, that is nearest.
    static Lanes nearest_odd(Lanes a) {
        const Lanes half = clamp(round((a - hn::Set(tag, 1)) * hn::Set(tag, 0.5f)), 0, Format::max_scale);
        return half + half + hn::Set(tag, 1);
    }

    // d from those that make the largest scale more or less the largest multiple: the one that is best for the moments.
    // Here a lane is a d.
    void choose_unit(int b) {
        const Lanes size = hn::Set(tag, blocks_.unit[b].size), inverse = hn::Set(tag, blocks_.unit[b].inverse);
        PerSubBlock d, error;
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes some_d =
                nearest_half(hn::Set(tag, largest_[b]) * size * (hn::Set(tag, 1.0f / top) * grid.load(first))) *
                inverse;
            const Lanes per_d = ratio(hn::Set(tag, 1), some_d);
            Lanes sum = hn::Zero(tag);  // of the errors, but for what is the same for all
            for (int k = b * Blocks::size; k < (b + 1) * Blocks::size; ++k) {
                const Lanes scale = some_d * nearest_odd(hn::Set(tag, free_scale_[k]) * per_d);
                const Lanes error =
                    scale * fused(scale, hn::Set(tag, moments_.vv[k]), hn::Set(tag, -2 * moments_.vx[k]));
                sum = fused(hn::Set(tag, blocks_.batch.total[k]), error, sum);
            }
            d.store(first, some_d);
            error.store(first, sum);
        }
        std::fill_n(d_.values + b * Blocks::size, Blocks::size, d[error.index_of_smallest()]);
    }
    static constexpr PerSubBlock grid = [] {
        PerSubBlock factors;
        for (int k = 0; k < batch_size; ++k) factors[k] = 0.84f + 0.025f * static_cast<float>(k);
        return factors;
    }();

    // The multiple nearest to the free scale and its neighbours each get points of their own; the best stays.
    void fit_integers() {
        for (int first = 0; first < batch_size; first += lane_count) {
            const Lanes d = d_.load(first);
            const Lanes middle = nearest_odd(free_scale_.load(first) * ratio(hn::Set(tag, 1), d));
            SymmetricMoments best{};
            Lanes multiple = hn::Zero(tag), error = hn::Zero(tag);
            for (const int step : {0, -2, 2}) {
                const Lanes odd = clamp(middle + hn::Set(tag, static_cast<float>(step)), 1, top);
                const Lanes scale = d * odd;
                const SymmetricMoments m = points_.moments(blocks_.batch, first, ratio(hn::Set(tag, 1), scale));
                const Lanes found = m.error(scale);
                const LaneMask better = step == 0 ? found == found : found < error;
                best.vv = hn::IfThenElse(better, m.vv, best.vv);
                best.vx = hn::IfThenElse(better, m.vx, best.vx);
                multiple = hn::IfThenElse(better, odd, multiple);
                error = hn::IfThenElse(better, found, error);
            }
            moments_.store(first, best);
            multiple_.store(first, multiple);
        }
    }

    // Sums over a super-block, for multiples of d: of x^2, of values squared, of values times x.
    struct Sums {
        float xx = 0, vv = 0, vx = 0;
        float error(float d) const { return d * (d * vv - 2 * vx); }  // but for xx
    };
    Sums sums(int b) const {
        Sums s;
        for (int k = b * Blocks::size; k < (b + 1) * Blocks::size; ++k) {
            const float total = blocks_.batch.total[k];
            s.xx += total * xx_[k];
            s.vv += total * multiple_[k] * multiple_[k] * moments_.vv[k];
            s.vx += total * multiple_[k] * moments_.vx[k];
        }
        return s;
    }

    // d by least squares over the super-block, if it is better even as binary16.
    void refit_unit(int b) {
        const int from = b * Blocks::size;
        const Sums s = sums(b);
        const float d = s.vv > 0 && s.vx > 0 ? blocks_.unit[b].nearest_half(s.vx / s.vv) : d_[from];
        if (s.error(d) < s.error(d_[from])) std::fill_n(d_.values + from, Blocks::size, d);
    }

    const BatchSource<n>& source_;
    Blocks blocks_;
    NearestPoints<Format> rough_;
    NearestPoints<Format> points_;
    NearestPoints<Format> final_{Neighbours::listed};
    Moments moments_;
    PerSubBlock xx_;  // the sum of w x^2
    PerSubBlock free_scale_;
    float largest_[super_blocks]{};
    PerSubBlock d_;
    PerSubBlock multiple_;  // 2 scale + 1
    Chosen<Format> chosen_;
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
