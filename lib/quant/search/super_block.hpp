// Sixteen sub-blocks of super-blocks of 256: one super-block of sixteen, or two of eight, each in its unit.
//
// Compiled once for each target, as lanes.hpp.
#include <algorithm>
#include <new>

#include "quant/search/batch.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_SUPER_BLOCK_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_SUPER_BLOCK_HPP
#undef GGUFKIT_QUANT_SEARCH_SUPER_BLOCK_HPP
#else
#define GGUFKIT_QUANT_SEARCH_SUPER_BLOCK_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

inline constexpr int super_block_size = 256;

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

// An encoder finds what is in as many super-blocks as share a batch; `pack` puts it in its place.
template <class Encoder, class Block, void (*pack)(const typename Encoder::Codes&, Block&)>
void quantize_super_blocks(const SourceRows& rows, std::byte* out) {
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
