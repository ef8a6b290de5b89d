// Blocks that are sub-blocks by themselves, of one scale and perhaps a min, which are binary16: the lanes hold blocks, and
// what a search finds only has to be rounded. spec/quantizers.md tells the story.
//
// Compiled once for each target, as lanes.hpp.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "quant/search/symmetric.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_ONE_SCALE_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_ONE_SCALE_HPP
#undef GGUFKIT_QUANT_SEARCH_ONE_SCALE_HPP
#else
#define GGUFKIT_QUANT_SEARCH_ONE_SCALE_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

inline float root_mean_square(const float* row, std::size_t count) {
    const Unit unit = Unit::of(peak_of(row, static_cast<int>(count)));
    float squares = 0;
    for (std::size_t i = 0; i < count; ++i) squares += row[i] * unit.inverse * (row[i] * unit.inverse);
    return std::sqrt(squares / static_cast<float>(count)) * unit.size;
}

// Sixteen (sub-)blocks of n, each in a unit of its own.
template <int n>
class Blocks {
  public:
    // `row_rms` is that of the row that the block is in, and only looked at where there is importance that is to be
    // weighed by it.
    Blocks(const BatchSource<n>& from, Weighting weighting, int least_exponent, const PerSubBlock& row_rms)
        : source(from) {
        to_units(source.x, least_exponent, unit, factor, peak);
        batch.transpose(source.x, factor, batch.x);
        if (source.importance) {
            weigh_by(weighting, row_rms);
        } else {
            batch.weigh(weighting);
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
    PerSubBlock factor;  // the inverse of the unit
    PerSubBlock peak;    // the largest magnitude
    Batch<n> batch;

  private:
    void weigh_by(Weighting weighting, const PerSubBlock& row_rms) {
        Unit own[batch_size];
        PerSubBlock own_factor, own_peak, spread;
        to_units(source.importance, Unit::least_for_half, own, own_factor, own_peak);
        batch.transpose(source.importance, own_factor, batch.w);
        if (weighting == Weighting::none) return batch.weigh_importance();
        for (int k = 0; k < batch_size; ++k) {
            const float rms = row_rms[k] * factor[k];
            spread[k] = 8 * rms * rms;
        }
        batch.weigh_importance(spread);
    }
    static void to_units(const float* from, int least_exponent, Unit (&units)[batch_size], PerSubBlock& factors,
                         PerSubBlock& peaks) {
        for (int k = 0; k < batch_size; ++k) {
            peaks[k] = peak_of(from + k * n, n);
            units[k] = Unit::of(peaks[k], least_exponent);
            factors[k] = units[k].inverse;
        }
    }
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

// An encoder finds codes, and sets all else that is in a block; `pack` puts the codes in their place.
template <class Encoder, class Block, void (*pack)(const std::uint8_t*, Block&)>
void quantize_blocks(const SourceRows& rows, std::byte* out) {
    constexpr int n = Encoder::n;
    constexpr int sub_blocks = Block::elements / n;
    std::uint8_t codes[n * batch_size];
    PerSubBlock row_rms;
    std::size_t row_end = 0;  // of the row whose rms is `rms`
    float rms = 0;
    for (std::size_t i = 0; i < rows.count(); i += BatchSource<n>::size) {
        const BatchSource<n> source(rows, i, n);
        const int count = static_cast<int>(std::min<std::size_t>(batch_size, (rows.count() - i) / n));
        for (int k = 0; rows.importance && Encoder::weighting != Weighting::none && k < count; ++k) {
            if (i + static_cast<std::size_t>(k) * n >= row_end) {
                rms = root_mean_square(rows.x + row_end, rows.ne0);
                row_end += rows.ne0;
            }
            row_rms[k] = rms;
        }
        const Blocks<n> blocks(source, Encoder::weighting, Encoder::least_unit, row_rms);
        const Encoder found(blocks, codes);
        for (int k = 0; k < count; k += sub_blocks, out += sizeof(Block)) {
            Block block;
            found.set(k, block);
            pack(codes + k * n, block);
            std::memcpy(out, &block, sizeof block);
        }
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
