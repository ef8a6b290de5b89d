// Encoders of Q4_0, Q4_1, Q5_0 and Q5_1: blocks of one scale, and in two of them a min. spec/quantizers.md tells the
// story.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/legacy/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <limits>

#include "format/blocks/legacy.hpp"
#include "quant/legacy/legacy.hpp"
#include "quant/planes.hpp"
#include "quant/search/affine.hpp"
#include "quant/search/one_scale.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// x ~ d * code + m.
template <int max_code, int starts>
struct ScaleAndMin {
    static constexpr int n = 32;
    static constexpr Weighting weighting = Weighting::linear;
    static constexpr int least_unit = Unit::least_for_half;
    using Search = AffineSearch<n, max_code>;

    ScaleAndMin(const Blocks<n>& b, std::uint8_t* codes) : blocks(b) {
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
        write_codes<IntegerValues<0, max_code>, n>(0, batch_size, b.source.x, b.factor, inverse, offset, codes);
    }
    template <class Block>
    void set(int k, Block& block) const {
        block.d.set(blocks.stored(scale, wanted_scale, k));
        block.m.set(-blocks.stored(min, wanted_min, k));
    }

    const Blocks<n>& blocks;
    PerSubBlock wanted_scale, wanted_min;
    PerSubBlock scale, min;
};

template <int half_range, int number_of_starts>
struct Symmetric {
    using Values = IntegerValues<-half_range, half_range - 1>;
    static constexpr int block = 32, starts = number_of_starts;
    static constexpr Weighting weighting = Weighting::linear;
};

template <class Block>
void pack(const std::uint8_t* codes, Block& block) {
    pack_planes<4, 16>(codes, 0, block.qs);
    if constexpr (requires { block.qh; }) pack_planes<1, 1>(codes, 4, block.qh.bytes);
}

void quantize_q4_0(const SourceRows& rows, std::byte* out) {
    quantize_blocks<OneScale<Symmetric<8, 8>>, BlockQ4_0, pack>(rows, out);
}
void quantize_q4_1(const SourceRows& rows, std::byte* out) {
    quantize_blocks<ScaleAndMin<15, 6>, BlockQ4_1, pack>(rows, out);
}
void quantize_q5_0(const SourceRows& rows, std::byte* out) {
    quantize_blocks<OneScale<Symmetric<16, 8>>, BlockQ5_0, pack>(rows, out);
}
void quantize_q5_1(const SourceRows& rows, std::byte* out) {
    quantize_blocks<ScaleAndMin<31, 6>, BlockQ5_1, pack>(rows, out);
}

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
