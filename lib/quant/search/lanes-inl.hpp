// Sixteen sub-blocks side by side, in as many vectors as a target needs for sixteen lanes.
//
// Every search treats sub-blocks alike, so they share the lanes of vectors: lane k is sub-block k, and a sum over the
// elements of a sub-block adds them in their order, as a plain loop would. The numbers therefore do not depend on the
// number of lanes. Arithmetic is IEEE single precision; fused() is a fused multiply-add on every target, and nothing
// else is one on any.
//
// Compiled once for each target, as every -inl.hpp: include it only below <hwy/foreach_target.h>.
#include <hwy/highway.h>

#include <cmath>
#include <cstdint>

#if defined(GGUFKIT_QUANT_SEARCH_LANES_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_LANES_INL_HPP_
#undef GGUFKIT_QUANT_SEARCH_LANES_INL_HPP_
#else
#define GGUFKIT_QUANT_SEARCH_LANES_INL_HPP_
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline constexpr int batch_size = 16;  // sub-blocks that are searched together

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

    // The sum of `count` (a power of two) values from `first` on, by halves: first each of the lower half with its
    // counterpart in the upper one, and so on. Short chains of operations, and the same order on every target.
    template <int count>
    HWY_INLINE float sum(int first) const {
        return sum_by_halves<count>(values + first);
    }
    template <int count>
    HWY_INLINE float largest(int first) const {
        return hn::GetLane(reduced<count>(
            first, [](auto a, auto b) { return hn::Max(a, b); },
            [](auto part, auto all) { return hn::MaxOfLanes(part, all); }));
    }
    template <int count>
    HWY_INLINE float smallest(int first) const {
        return hn::GetLane(reduced<count>(
            first, [](auto a, auto b) { return hn::Min(a, b); },
            [](auto part, auto all) { return hn::MinOfLanes(part, all); }));
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

  private:
    template <int count, class Combine, class OfLanes>
    HWY_INLINE auto reduced(int first, Combine combine, OfLanes of_lanes) const {
        const hn::CappedTag<float, count> part;
        constexpr int width = static_cast<int>(hn::MaxLanes(part));
        auto some = hn::Load(part, values + first);
        for (int k = width; k < count; k += width) some = combine(some, hn::Load(part, values + first + k));
        return of_lanes(part, some);
    }
    template <int count>
    static HWY_INLINE float sum_by_halves(const float* all) {
        if constexpr (count == 1) {
            return *all;
        } else {
            float half[count / 2];
            for (int k = 0; k < count / 2; ++k) half[k] = all[k] + all[k + count / 2];
            return sum_by_halves<count / 2>(half);
        }
    }
};

inline Lanes clamp(Lanes a, int low, int high) {
    return hn::Min(hn::Max(a, hn::Set(tag, static_cast<float>(low))), hn::Set(tag, static_cast<float>(high)));
}

#if !HWY_NATIVE_FMA && HWY_TARGET != HWY_BASELINE_SCALAR
// a * b + c, finite. binary64 holds the product as it is, and the sum is rounded to odd there. Rounded again, to binary32,
// that is what the exact sum would be: 53 bits are more than twice 24 and two.
template <class Half, class V = hn::Vec<Half>>
HWY_INLINE V fused_half(Half half, V a, V b, V c) {
    const hn::Rebind<double, Half> wide;
    const hn::RebindToSigned<decltype(wide)> bits;
    const auto product = hn::PromoteTo(wide, a) * hn::PromoteTo(wide, b), other = hn::PromoteTo(wide, c);
    const auto sum = product + other;
    const auto of_other = sum - product;
    const auto lost = (product - (sum - of_other)) + (other - of_other);
    // Where something was lost and the last bit is 0, the odd neighbour on the side of what was lost.
    const auto sum_bits = hn::BitCast(bits, sum), one = hn::Set(bits, 1);
    const auto step = hn::Or(hn::BroadcastSignBit(hn::Xor(sum_bits, hn::BitCast(bits, lost))), one);
    const auto stays = hn::Or(hn::RebindMask(bits, lost == hn::Zero(wide)), hn::And(sum_bits, one) == one);
    return hn::DemoteTo(half, hn::BitCast(wide, sum_bits + hn::IfThenZeroElse(stays, step)));
}
#endif

// a * b + c, rounded once.
inline Lanes fused(Lanes a, Lanes b, Lanes c) {
#if HWY_TARGET == HWY_BASELINE_SCALAR
    alignas(64) float product[lane_count], by[lane_count], sum[lane_count];
    hn::Store(a, tag, product), hn::Store(b, tag, by), hn::Store(c, tag, sum);
    for (int k = 0; k < lane_count; ++k) sum[k] = std::fma(product[k], by[k], sum[k]);
    return hn::Load(tag, sum);
#elif HWY_NATIVE_FMA
    return hn::MulAdd(a, b, c);
#else
    const hn::Half<Tag> half;
    return hn::Combine(tag, fused_half(half, hn::UpperHalf(half, a), hn::UpperHalf(half, b), hn::UpperHalf(half, c)),
                       fused_half(half, hn::LowerHalf(half, a), hn::LowerHalf(half, b), hn::LowerHalf(half, c)));
#endif
}

// To the nearest integer, ties to even; for magnitudes below 2^22, which codes and scales are far below.
inline Lanes round(Lanes a) {
#if HWY_TARGET == HWY_BASELINE_SCALAR  // whose Round() may make 1 of the largest float below 0.5
    const Lanes shift = hn::Set(tag, 0x1.8p23f);
    return (a + shift) - shift;
#else
    return hn::Round(a);
#endif
}

// The integer that each is nearest to, ties to even, in the lowest bits: for magnitudes below 2^22. What is above them is
// of no use, and the sign is not in it.
inline IntegerLanes low_bits(Lanes a) { return hn::BitCast(integer_tag, a + hn::Set(tag, 0x1.8p23f)); }

// The same for what is not below 0, with nothing above it. ConvertTo() would look after numbers that are too large.
inline IntegerLanes to_integer(Lanes a) { return hn::And(low_bits(a), hn::Set(integer_tag, 0x3fffff)); }

// a / b, or 0 where b is too small to divide by.
inline Lanes ratio(Lanes a, Lanes b) {
    const LaneMask usable = hn::Abs(b) > hn::Set(tag, 0x1p-100f);
    return hn::IfThenElseZero(usable, a / hn::IfThenElse(usable, b, hn::Set(tag, 1)));
}

// The finite binary16 nearest to each, ties to even, as a float; by integer arithmetic, as in core/half.hpp.
inline Lanes nearest_half(Lanes a) {
    const hn::RebindToUnsigned<Tag> bits_tag;
    const auto bits = hn::BitCast(bits_tag, hn::Min(hn::Abs(a), hn::Set(tag, 65504)));
    const auto odd = hn::And(hn::ShiftRight<13>(bits), hn::Set(bits_tag, 1));
    const auto up = bits + odd + hn::Set(bits_tag, 0xfff);
    const Lanes normal = hn::BitCast(tag, hn::AndNot(hn::Set(bits_tag, 0x1fff), up));
    const Lanes half = hn::Set(tag, 0.5f);  // aligns the last bit with 2^-24
    const Lanes tiny = (hn::BitCast(tag, bits) + half) - half;
    return hn::CopySign(hn::IfThenElse(hn::Abs(a) < hn::Set(tag, 0x1p-14f), tiny, normal), a);
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
    return hn::IfThenElse(hn::RebindMask(tag, index > hn::Set(integer_tag, 7)), upper, lower);
#else
    return hn::GatherIndex(tag, table, index);
#endif
}

// Codes that are to be round(x * inverse + offset), between low and high.
inline Lanes code_of(Lanes x, Lanes inverse, Lanes offset, int low, int high) {
    return round(clamp(fused(x, inverse, offset), low, high));
}

// ---------------------------------------------------------------- values of codes

// `mirrored` says that the negative of each value is one, too.

// Code 0 is the lowest.
template <int low, int high>
struct IntegerValues {
    static constexpr int lowest = low;
    static constexpr bool mirrored = low == -high;
    static Lanes nearest(Lanes x) { return round(clamp(x, low, high)); }
    static IntegerLanes code(Lanes x) { return low_bits(clamp(x, low, high)) - hn::Set(integer_tag, low); }
};

// -1 and 1, code 0 and 1.
struct SignValues {
    static constexpr int lowest = -1;
    static constexpr bool mirrored = true;
    static Lanes nearest(Lanes x) { return hn::IfThenElse(x < hn::Zero(tag), hn::Set(tag, -1), hn::Set(tag, 1)); }
    static IntegerLanes code(Lanes x) {
        return hn::IfThenZeroElse(hn::RebindMask(integer_tag, x < hn::Zero(tag)), hn::Set(integer_tag, 1));
    }
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
