// The first generation: blocks of one scale, and in two types a min. spec/quantizers.md says how they are searched.
#define HWY_TARGET_INCLUDE "quant/legacy/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "format/blocks/legacy.hpp"
#include "quant/kernels-inl.hpp"
#include "quant/planes.hpp"
#include "quant/search/affine-inl.hpp"
#include "quant/search/symmetric-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// Bit 4 of 32 codes.
HWY_INLINE void add_fifth_bits(const Little<std::uint32_t>& high, std::uint8_t* codes) {
#if HWY_TARGET == HWY_BASELINE_SCALAR
    for (int j = 0; j < 32; ++j) codes[j] = static_cast<std::uint8_t>(codes[j] | (high.get() >> j & 1u) << 4);
#else
    const hn::CappedTag<std::uint8_t, 16> tag;  // as unpack_planes() stored them
    for (std::size_t j = 0; j < 32; j += hn::Lanes(tag)) {
        const auto bit = hn::IfThenElseZero(hn::LoadMaskBits(tag, high.bytes + j / 8), hn::Set(tag, 16));
        hn::StoreU(hn::Or(hn::LoadU(tag, codes + j), bit), tag, codes + j);
    }
#endif
}

HWY_INLINE void unpack(const BlockQ4_0& b, CodesOut out) {
    unpack_planes<4, 16>(b.qs, out.bytes());
    *out.scales = number_of(b.d);
}

HWY_INLINE void unpack(const BlockQ4_1& b, CodesOut out) {
    unpack_planes<4, 16>(b.qs, out.bytes());
    *out.scales = number_of(b.d);
    *out.mins = -number_of(b.m);
}

HWY_INLINE void unpack(const BlockQ5_0& b, CodesOut out) {
    unpack_planes<4, 16>(b.qs, out.bytes());
    add_fifth_bits(b.qh, out.bytes());
    *out.scales = number_of(b.d);
}

HWY_INLINE void unpack(const BlockQ5_1& b, CodesOut out) {
    unpack_planes<4, 16>(b.qs, out.bytes());
    add_fifth_bits(b.qh, out.bytes());
    *out.scales = number_of(b.d);
    *out.mins = -number_of(b.m);
}

HWY_INLINE void unpack(const BlockQ8_0& b, CodesOut out) {
    std::memcpy(out.codes, b.qs, sizeof b.qs);
    *out.scales = number_of(b.d);
}

HWY_INLINE void unpack(const BlockQ8_1& b, CodesOut out) {
    std::memcpy(out.codes, b.qs, sizeof b.qs);
    *out.scales = number_of(b.d);
}

// ---------------------------------------------------------------- encoders

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
            Lanes least = hn::Set(tag, std::numeric_limits<float>::infinity());
            AffineFit fit{hn::Zero(tag), hn::Zero(tag)};
            for (int step = 0; step < rounding_steps; ++step) {
                if (step > 0) m = Search::moments(b.batch, first, m, fit);
                const Lanes next_scale = b.to_half(first, m.best(true).scale);
                const Lanes next_min = b.to_half(first, m.best_min(next_scale));
                const Lanes error = m.error({next_scale, next_min});
                const LaneMask better = error < least;
                least = hn::IfThenElse(better, error, least);
                fit = {hn::IfThenElse(better, next_scale, fit.scale), hn::IfThenElse(better, next_min, fit.min)};
            }
            scale.store(first, fit.scale);
            min.store(first, fit.min);
            const Lanes v = ratio(hn::Set(tag, 1), fit.scale);
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
void pack(BlockCodes c, Block& b) {
    pack_planes<4, 16>(c.code, 0, b.qs);
    if constexpr (requires { b.qh; }) pack_planes<1, 1>(c.code, 4, b.qh.bytes);
}

// Nearest integer, halves away from zero, as std::round; but exact steps that vectorize on every target.
inline int round_half_away(float x) {
    const int whole = static_cast<int>(x);
    const float rest = x - static_cast<float>(whole);  // exact
    return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

// Magnitudes of finite floats compare as their bits do, and a maximum of integers vectorizes.
inline float largest_magnitude(const float* x) {
    std::int32_t largest = 0;
    for (int j = 0; j < 32; ++j) largest = std::max(largest, std::bit_cast<std::int32_t>(x[j]) & 0x7fffffff);
    return std::bit_cast<float>(largest);
}

// Bit-equal to the reference, so that a Q8_0 file made here is the one that everybody has: the largest magnitude
// becomes 127, and codes are made with the scale as it was before it became a binary16.
inline void encode_q8_0(const float* x, BlockQ8_0& block) {
    const float d = largest_magnitude(x) / 127.0f;
    // The inverse of a smaller d is infinite; there the codes are zero, as their scale is once it is a binary16.
    const float inverse = d > 0x1p-128f ? 1.0f / d : 0.0f;
    block.d.set(d);
    for (int j = 0; j < 32; ++j) block.qs[j] = static_cast<std::int8_t>(round_half_away(x[j] * inverse));
}

void encode_q8_0(const SourceRows& rows, std::byte* out) {
    auto* const blocks = reinterpret_cast<BlockQ8_0*>(out);
    for (std::size_t i = 0; i < rows.count() / BlockQ8_0::elements; ++i) {
        encode_q8_0(rows.x + i * BlockQ8_0::elements, blocks[i]);
    }
}

std::span<const Kernels> legacy_kernels() {
    static constexpr Kernels table[] = {
        kernels<BlockQ4_0, OneScale<Symmetric<8, 8>>>(),
        kernels<BlockQ4_1, ScaleAndMin<15, 6>>(),
        kernels<BlockQ5_0, OneScale<Symmetric<16, 8>>>(),
        kernels<BlockQ5_1, ScaleAndMin<31, 6>>(),
        kernels<BlockQ8_0>(encode_q8_0),
        kernels<BlockQ8_1>(),
    };
    return table;
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(legacy_kernels);
std::span<const Kernels> legacy_kernels() { return HWY_DYNAMIC_DISPATCH(legacy_kernels)(); }

}  // namespace ggufkit::quant
#endif
