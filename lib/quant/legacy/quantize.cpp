// Encoders of Q4_0, Q4_1, Q5_0 and Q5_1. A block is all there is, so the lanes hold blocks, and what a search finds
// only has to be made binary16. spec/quantizers.md tells the story.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/legacy/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "quant/legacy/blocks.hpp"
#include "quant/legacy/legacy.hpp"
#include "quant/planes.hpp"
#include "quant/search/affine.hpp"
#include "quant/search/symmetric.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

constexpr int n = 32;  // elements of a block

inline float root_mean_square(const float* row, std::size_t count) {
    const Unit unit = Unit::of(peak_of(row, static_cast<int>(count)));
    float squares = 0;
    for (std::size_t i = 0; i < count; ++i) squares += row[i] * unit.inverse * (row[i] * unit.inverse);
    return std::sqrt(squares / static_cast<float>(count)) * unit.size;
}

// Sixteen blocks, each in a unit of its own.
class Blocks {
  public:
    // `row_rms` is that of the row that the block is in, and only looked at where there is importance.
    Blocks(const BatchSource<n>& from, const PerSubBlock& row_rms) : source(from) {
        to_units(source.x, unit, factor);
        batch.transpose(source.x, factor, batch.x);
        if (source.importance) {
            weigh_by(row_rms);
        } else {
            batch.weigh(Weighting::linear);
        }
    }

    Lanes to_half(int first, Lanes value) const {
        const Lanes inverse = factor.load(first);
        return nearest_half(value / inverse) * inverse;
    }
    // What the file gets for `value`, which should have been `wanted`: infinity where that is too much for a binary16.
    float stored(const PerSubBlock& value, const PerSubBlock& wanted, int k) const {
        return unit[k].overflows_half(wanted[k]) ? std::numeric_limits<float>::infinity() : value[k] * unit[k].size;
    }

    const BatchSource<n>& source;
    Unit unit[batch_size];
    PerSubBlock factor;
    Batch<n> batch;

  private:
    void weigh_by(const PerSubBlock& row_rms) {
        Unit own[batch_size];
        PerSubBlock own_factor, spread;
        to_units(source.importance, own, own_factor);
        batch.transpose(source.importance, own_factor, batch.w);
        for (int k = 0; k < batch_size; ++k) {
            const float rms = row_rms[k] * factor[k];
            spread[k] = 8 * rms * rms;
        }
        batch.weigh_importance(spread);
    }
    static void to_units(const float* from, Unit (&units)[batch_size], PerSubBlock& factors) {
        for (int k = 0; k < batch_size; ++k) {
            units[k] = Unit::of(peak_of(from + k * n, n));
            factors[k] = units[k].inverse;
        }
    }
};

// Makes a fit binary16, lets the codes follow, and once more; keeps the better one of the two.
constexpr int rounding_steps = 2;

template <int max_code, int starts>
struct Affine {
    using Search = AffineSearch<n, max_code>;

    Affine(const Blocks& b, std::uint8_t* codes) : blocks(b) {
        PerSubBlock inverse, offset;
        const auto all_starts = affine_starts_for<n, max_code>(b.source.effort, b.source.importance != nullptr, starts);
        for (int first = 0; first < batch_size; first += lane_count) {
            AffineMoments m = Search::search(b.batch, first, true, all_starts);
            const AffineFit free = m.best(true);
            wanted_scale.store(first, free.scale);
            wanted_min.store(first, free.min);
            Lanes least = splat(std::numeric_limits<float>::infinity());
            AffineFit fit{zero(), zero()};
            for (int step = 0; step < rounding_steps; ++step) {
                if (step > 0) m = Search::moments(b.batch, first, m, fit);
                const Lanes next_scale = b.to_half(first, m.best(true).scale);
                const Lanes next_min = b.to_half(first, m.best_min(next_scale));
                const Lanes error = m.error({next_scale, next_min});
                const LaneMask better = error < least;
                least = select(better, error, least);
                fit = {select(better, next_scale, fit.scale), select(better, next_min, fit.min)};
            }
            scale.store(first, fit.scale);
            min.store(first, fit.min);
            const Lanes v = ratio(splat(1), fit.scale);
            inverse.store(first, v);
            offset.store(first, fit.min * v);
        }
        write_codes<n>(0, batch_size, b.source.x, b.factor, inverse, offset, 0, max_code, codes);
    }
    template <class Block>
    void set(int k, Block& block) const {
        block.d.set(blocks.stored(scale, wanted_scale, k));
        block.m.set(-blocks.stored(min, wanted_min, k));
    }

    const Blocks& blocks;
    PerSubBlock wanted_scale, wanted_min;
    PerSubBlock scale, min;
};

template <int half_range, int starts>
struct Symmetric {
    using Search = SymmetricSearch<n, half_range>;

    Symmetric(const Blocks& b, std::uint8_t* codes) : blocks(b) {
        PerSubBlock inverse;
        const auto all_starts =
            symmetric_starts_for<n, half_range>(b.source.effort, b.source.importance != nullptr, starts);
        for (int first = 0; first < batch_size; first += lane_count) {
            SymmetricMoments m = Search::search(b.batch, first, all_starts);
            wanted.store(first, m.best());
            Lanes least = splat(std::numeric_limits<float>::infinity());
            Lanes best = zero();
            for (int step = 0; step < rounding_steps; ++step) {
                if (step > 0) m = Search::moments(b.batch, first, ratio(splat(1), best));
                const Lanes next = b.to_half(first, m.best());
                const Lanes error = m.error(next);
                const LaneMask better = error < least;
                least = select(better, error, least);
                best = select(better, next, best);
            }
            scale.store(first, best);
            inverse.store(first, ratio(splat(1), best));
        }
        write_codes<n>(0, batch_size, b.source.x, b.factor, inverse, PerSubBlock{}, -half_range, half_range - 1, codes);
    }
    template <class Block>
    void set(int k, Block& block) const {
        block.d.set(blocks.stored(scale, wanted, k));
    }

    const Blocks& blocks;
    PerSubBlock wanted;
    PerSubBlock scale;
};

template <class Block>
void pack_codes(const std::uint8_t* codes, Block& block) {
    pack_planes<4, 16>(codes, 0, block.qs);
    if constexpr (requires { block.qh; }) pack_planes<1, 1>(codes, 4, block.qh.bytes);
}

template <class Encoder, class Block>
void quantize(const SourceRows& rows, std::byte* out) {
    std::uint8_t codes[n * batch_size];
    PerSubBlock row_rms;
    std::size_t row_end = 0;  // of the row whose rms is `rms`
    float rms = 0;
    for (std::size_t i = 0; i < rows.count(); i += BatchSource<n>::size) {
        const BatchSource<n> source(rows, i, n);
        const int count = static_cast<int>(std::min<std::size_t>(batch_size, (rows.count() - i) / n));
        for (int k = 0; rows.importance && k < count; ++k) {
            if (i + static_cast<std::size_t>(k) * n >= row_end) {
                rms = root_mean_square(rows.x + row_end, rows.ne0);
                row_end += rows.ne0;
            }
            row_rms[k] = rms;
        }
        const Blocks blocks(source, row_rms);
        const Encoder found(blocks, codes);
        for (int k = 0; k < count; ++k, out += sizeof(Block)) {
            Block block;
            found.set(k, block);
            pack_codes(codes + k * n, block);
            std::memcpy(out, &block, sizeof block);
        }
    }
}

void quantize_q4_0(const SourceRows& rows, std::byte* out) { quantize<Symmetric<8, 8>, BlockQ4_0>(rows, out); }
void quantize_q4_1(const SourceRows& rows, std::byte* out) { quantize<Affine<15, 6>, BlockQ4_1>(rows, out); }
void quantize_q5_0(const SourceRows& rows, std::byte* out) { quantize<Symmetric<16, 8>, BlockQ5_0>(rows, out); }
void quantize_q5_1(const SourceRows& rows, std::byte* out) { quantize<Affine<31, 6>, BlockQ5_1>(rows, out); }

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(quantize_q4_0);
HWY_EXPORT(quantize_q4_1);
HWY_EXPORT(quantize_q5_0);
HWY_EXPORT(quantize_q5_1);

void quantize_q4_0(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q4_0)(rows, out); }
void quantize_q4_1(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q4_1)(rows, out); }
void quantize_q5_0(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q5_0)(rows, out); }
void quantize_q5_1(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q5_1)(rows, out); }

}  // namespace ggufkit::quant
#endif
