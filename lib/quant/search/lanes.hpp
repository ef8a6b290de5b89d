// Sixteen sub-blocks side by side, in as many vectors as a target needs for sixteen lanes.
//
// Every search here treats sub-blocks alike, so they share the lanes of vectors: lane k is sub-block k, and a sum over
// the elements of a sub-block is added up in the order of the elements, as a plain loop would. The numbers therefore do
// not depend on how many lanes a target has. Arithmetic is IEEE single precision, without fused multiply-adds.
//
// Compiled once for each target: include it, and what builds on it, only below <hwy/foreach_target.h>.
#include <hwy/highway.h>

#include <cstdint>

#include "quant/search/batch_size.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_LANES_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_LANES_HPP
#undef GGUFKIT_QUANT_SEARCH_LANES_HPP
#else
#define GGUFKIT_QUANT_SEARCH_LANES_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using Tag = hn::CappedTag<float, batch_size>;
using Lanes = hn::Vec<Tag>;
using LaneMask = hn::Mask<Tag>;
using IntegerTag = hn::RebindToSigned<Tag>;
using IntegerLanes = hn::Vec<IntegerTag>;
inline constexpr Tag tag{};
inline constexpr IntegerTag integer_tag{};
inline constexpr int lane_count = static_cast<int>(hn::MaxLanes(Tag()));

// A number for each sub-block of a batch.
struct PerSubBlock {
    alignas(64) float values[batch_size]{};

    Lanes load(int first) const { return hn::Load(tag, values + first); }
    void store(int first, Lanes lanes) { hn::Store(lanes, tag, values + first); }
    constexpr float operator[](int k) const { return values[k]; }
    constexpr float& operator[](int k) { return values[k]; }

    // What `combine` makes of `count` (a power of two) values from `first` on, by halves: first each of the lower half with
    // its counterpart in the upper one, and so on. Short chains of operations, and the same order on every target.
    template <int count, class Combine>
    HWY_INLINE float by_halves(int first, Combine combine) const {
        return by_halves<count>(values + first, combine);
    }
    template <int count, class Combine>
    static HWY_INLINE float by_halves(const float* all, Combine combine) {
        if constexpr (count == 1) {
            return *all;
        } else {
            float half[count / 2];
            for (int k = 0; k < count / 2; ++k) half[k] = combine(all[k], all[k + count / 2]);
            return by_halves<count / 2>(half, combine);
        }
    }
    template <int count>
    HWY_INLINE float sum(int first) const {
        return by_halves<count>(first, [](float a, float b) { return a + b; });
    }
    template <int count>
    HWY_INLINE float largest(int first) const {
        return by_halves<count>(first, [](float a, float b) { return a > b ? a : b; });
    }
    template <int count>
    HWY_INLINE float smallest(int first) const {
        return by_halves<count>(first, [](float a, float b) { return a < b ? a : b; });
    }
    // The first of the smallest of all. Without a branch, as nobody can predict it.
    HWY_INLINE int index_of_smallest() const {
        const Lanes least = hn::Set(tag, smallest<batch_size>(0));
        std::intptr_t index = 0;
        for (int first = batch_size - lane_count; first >= 0; first -= lane_count) {
            const std::intptr_t found = hn::FindFirstTrue(tag, load(first) == least);
            index = found < 0 ? index : first + found;
        }
        return static_cast<int>(index);
    }
};

inline Lanes splat(float value) { return hn::Set(tag, value); }
inline Lanes zero() { return hn::Zero(tag); }
inline Lanes select(LaneMask mask, Lanes yes, Lanes no) { return hn::IfThenElse(mask, yes, no); }
inline Lanes smaller(Lanes a, Lanes b) { return hn::Min(a, b); }
inline Lanes larger(Lanes a, Lanes b) { return hn::Max(a, b); }
inline Lanes magnitude(Lanes a) { return hn::Abs(a); }
inline Lanes clamp(Lanes a, int low, int high) {
    return smaller(larger(a, splat(static_cast<float>(low))), splat(static_cast<float>(high)));
}
inline Lanes square_root(Lanes a) { return hn::Sqrt(a); }

// To the nearest integer, ties to even; for magnitudes below 2^22, which codes and scales are far below.
inline Lanes round(Lanes a) {
#if HWY_TARGET == HWY_BASELINE_SCALAR  // whose Round() may make 1 of the largest float below 0.5
    const Lanes shift = splat(0x1.8p23f);
    return (a + shift) - shift;
#else
    return hn::Round(a);
#endif
}

// a / b, or 0 where b is too small to divide by.
inline Lanes ratio(Lanes a, Lanes b) {
    const LaneMask usable = magnitude(b) > splat(0x1p-100f);
    return hn::IfThenElseZero(usable, a / select(usable, b, splat(1)));
}

// The finite binary16 nearest to each, ties to even, as a float; by integer arithmetic, as in core/half.hpp.
inline Lanes nearest_half(Lanes a) {
    const hn::RebindToUnsigned<Tag> bits_tag;
    const auto bits = hn::BitCast(bits_tag, smaller(magnitude(a), splat(65504)));
    const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(bits_tag, 1));
    const auto up = bits + odd + hn::Set(bits_tag, 0xfff);
    const Lanes normal = hn::BitCast(tag, hn::AndNot(hn::Set(bits_tag, 0x1fff), up));
    const Lanes half = splat(0.5f);  // aligns the last bit with 2^-24
    const Lanes tiny = (hn::BitCast(tag, bits) + half) - half;
    return hn::CopySign(select(magnitude(a) < splat(0x1p-14f), tiny, normal), a);
}

// Entry `index` of a table of sixteen, in each lane; of its first `used` entries.
template <int used = 16>
Lanes entry(const float (&table)[16], IntegerLanes index) {
#if HWY_TARGET == HWY_AVX3
    return hn::TableLookupLanes(hn::Load(tag, table), hn::IndicesFromVec(tag, index));
#elif HWY_TARGET == HWY_AVX2
    if constexpr (used <= 8) return hn::TableLookupLanes(hn::Load(tag, table), hn::IndicesFromVec(tag, index));
    const auto half = hn::IndicesFromVec(tag, index & hn::Set(integer_tag, 7));
    const Lanes lower = hn::TableLookupLanes(hn::Load(tag, table), half);
    const Lanes upper = hn::TableLookupLanes(hn::Load(tag, table + 8), half);
    return select(hn::RebindMask(tag, index > hn::Set(integer_tag, 7)), upper, lower);
#else
    return hn::GatherIndex(tag, table, index);
#endif
}

// Codes that are to be round(x * inverse + offset), between low and high.
inline Lanes code_of(Lanes x, Lanes inverse, Lanes offset, int low, int high) {
    return round(clamp(x * inverse + offset, low, high));
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
