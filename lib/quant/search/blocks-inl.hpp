// From rows to blocks: cuts rows into batches, lets an encoder search them, and packs what it finds.
//
// An encoder takes either sixteen (sub-)blocks with a scale of their own each, or the sixteen sub-blocks of one or two
// super-blocks of 256.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <new>

#include "quant/search/batch-inl.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_BLOCKS_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_BLOCKS_INL_HPP_
#undef GGUFKIT_QUANT_SEARCH_BLOCKS_INL_HPP_
#else
#define GGUFKIT_QUANT_SEARCH_BLOCKS_INL_HPP_
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

inline constexpr int super_block_size = 256;

// Sixteen sub-blocks of super-blocks: one super-block of sixteen, or two of eight, each in its unit.
template <int n>
struct SuperBlocks {
    static constexpr int size = super_block_size / n;  // sub-blocks of a super-block
    static constexpr int count = batch_size / size;    // super-blocks

    Unit unit[count];
    PerSubBlock factor;  // the inverse of the unit
    Batch<n> batch;

    SuperBlocks(const BatchSource<n>& source, Weighting weighting) {
        for (int b = 0; b < count; ++b) {
            unit[b] = Unit::of(peak_of(source.x + b * super_block_size, super_block_size));
            std::fill_n(factor.values + b * size, size, unit[b].inverse);
        }
        batch.transpose(source.x, factor, batch.x);
        if (source.importance) {
            weigh_by(source.importance, importance_spread(weighting));
        } else {
            batch.weigh(weighting);
        }
    }

  private:
    void weigh_by(const float* importance, float squares) {
        PerSubBlock square, spread, own;
        for (int first = 0; first < batch_size; first += lane_count) square.store(first, batch.mean_square(first));
        for (int b = 0; b < count; ++b) {
            float mean = 0;
            for (int k = 0; k < size; ++k) mean += square[b * size + k] * (1.0f / size);
            std::fill_n(spread.values + b * size, size, squares * mean);
            const float peak = peak_of(importance + b * super_block_size, super_block_size);
            std::fill_n(own.values + b * size, size, Unit::of(peak).inverse);
        }
        batch.transpose(importance, own, batch.w);
        batch.weigh_importance(spread);
    }
};

// The codes of one block, a byte each.
struct BlockCodes {
    const std::uint8_t* code;
};

// The encoder finds codes and sets the rest of a block; pack(BlockCodes, Block&) puts the codes in their place.
template <class Block, class Encoder>
void encode_blocks(const SourceRows& rows, std::byte* out) {
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
            pack(BlockCodes{codes + k * n}, block);
            std::memcpy(out, &block, sizeof block);
        }
    }
}

// The encoder finds what is in the super-blocks that share a batch; pack(Encoder::Codes, Block&) puts it in its place.
template <class Block, class Encoder>
void encode_super_blocks(const SourceRows& rows, std::byte* out) {
    constexpr std::size_t count = Encoder::super_blocks;
    for (std::size_t i = 0; i < rows.count(); i += count * super_block_size) {
        const BatchSource<Encoder::sub_block> source(rows, i, super_block_size);
        const Encoder found(source);
        typename Encoder::Codes codes[count];
        found.write(codes);
        for (std::size_t b = 0; b < count && i + b * super_block_size < rows.count(); ++b) {
            pack(codes[b], *new (out) Block{});
            out += sizeof(Block);
        }
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
