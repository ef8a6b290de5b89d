// core/half.hpp for vectors: the same integer arithmetic, step for step, and so the same bits on every target.
#include <hwy/highway.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(GGUFKIT_QUANT_PLAIN_HALF_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_PLAIN_HALF_INL_HPP_
#undef GGUFKIT_QUANT_PLAIN_HALF_INL_HPP_
#else
#define GGUFKIT_QUANT_PLAIN_HALF_INL_HPP_
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

using HalfNumbers = hn::CappedTag<float, 16>;
using HalfWords = hn::Rebind<std::uint32_t, HalfNumbers>;
using Halves = hn::Rebind<std::uint16_t, HalfNumbers>;

// Sixteen bits a lane, from and to bytes at any address.
template <class Tag16>
HWY_INLINE hn::Vec<Tag16> load_halves(Tag16 halves, const std::byte* from) {
#if HWY_TARGET == HWY_SCALAR  // one lane, and no narrower type to look at it as
    std::uint16_t bits;
    std::memcpy(&bits, from, sizeof bits);
    return hn::Set(halves, bits);
#else
    const hn::Repartition<std::uint8_t, Tag16> bytes;
    return hn::BitCast(halves, hn::LoadU(bytes, reinterpret_cast<const std::uint8_t*>(from)));
#endif
}
template <class Tag16>
HWY_INLINE void store_halves(hn::Vec<Tag16> lanes, Tag16 /*halves*/, std::byte* to) {
#if HWY_TARGET == HWY_SCALAR
    const std::uint16_t bits = hn::GetLane(lanes);
    std::memcpy(to, &bits, sizeof bits);
#else
    const hn::Repartition<std::uint8_t, Tag16> bytes;
    hn::StoreU(hn::BitCast(bytes, lanes), bytes, reinterpret_cast<std::uint8_t*>(to));
#endif
}

HWY_INLINE hn::Vec<HalfNumbers> half_to_number(hn::Vec<Halves> halves) {
    const HalfWords words;
    const HalfNumbers numbers;
    const auto bits = hn::PromoteTo(words, halves);
    const auto sign = hn::ShiftLeft<16>(hn::And(bits, hn::Set(words, 0x8000)));
    const auto exponent = hn::And(bits, hn::Set(words, 0x7c00));
    const auto magnitude = hn::And(bits, hn::Set(words, 0x7fff));
    const auto as_integer = hn::ConvertTo(numbers, hn::BitCast(hn::Rebind<std::int32_t, HalfNumbers>(), magnitude));
    const auto small = hn::BitCast(words, as_integer * hn::Set(numbers, 0x1p-24f));
    const auto bias =
        hn::IfThenElse(exponent == hn::Set(words, 0x7c00), hn::Set(words, 0x70000000), hn::Set(words, 0x38000000));
    const auto rebased = hn::ShiftLeft<13>(magnitude) + bias;
    return hn::BitCast(numbers, hn::Or(sign, hn::IfThenElse(exponent == hn::Zero(words), small, rebased)));
}

// The same of lanes that are neither NaN nor infinite, with the processor's own conversion where it has one: that is exact,
// but does not keep every NaN as it is.
HWY_INLINE hn::Vec<HalfNumbers> finite_half_to_number(hn::Vec<Halves> halves) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
    return hn::PromoteTo(HalfNumbers(), hn::BitCast(hn::Rebind<hwy::float16_t, HalfNumbers>(), halves));
#else
    return half_to_number(halves);
#endif
}

// Bits 15..0 of each word are a binary16.
HWY_INLINE hn::Vec<HalfWords> number_to_half(hn::Vec<HalfNumbers> values) {
    const HalfWords words;
    const HalfNumbers numbers;
    const auto bits = hn::BitCast(words, values);
    const auto sign = hn::And(hn::ShiftRight<16>(bits), hn::Set(words, 0x8000));
    const auto magnitude = hn::And(bits, hn::Set(words, 0x7fffffff));
    const auto aligned = hn::BitCast(words, hn::BitCast(numbers, magnitude) + hn::Set(numbers, 0.5f));
    const auto tiny = aligned - hn::Set(words, 0x3f000000);
    const auto odd = hn::And(hn::ShiftRight<13>(magnitude), hn::Set(words, 1));
    const auto normal = hn::ShiftRight<13>(magnitude + hn::Set(words, 0xfff) + odd - hn::Set(words, 0x38000000));
    // Signed comparisons serve: magnitudes have no top bit.
    const hn::RebindToSigned<HalfWords> integers;
    const auto above = [&](std::int32_t limit) {
        return hn::RebindMask(words, hn::BitCast(integers, magnitude) > hn::Set(integers, limit));
    };
    auto half = hn::IfThenElse(above(0x387fffff), normal, tiny);
    half = hn::IfThenElse(above(0x477fffff), hn::Set(words, 0x7c00), half);
    half = hn::IfThenElse(above(0x7f800000), hn::Set(words, 0x7e00), half);
    return hn::Or(sign, half);
}

// Bits 15..0 of each word are a bfloat16.
HWY_INLINE hn::Vec<HalfWords> number_to_bfloat(hn::Vec<HalfNumbers> values) {
    const HalfWords words;
    const auto bits = hn::BitCast(words, values);
    const auto upper = hn::ShiftRight<16>(bits);
    const auto odd = hn::And(upper, hn::Set(words, 1));
    const auto rounded = hn::ShiftRight<16>(bits + hn::Set(words, 0x7fff) + odd);
    return hn::IfThenElse(hn::RebindMask(words, hn::IsNaN(values)), hn::Or(upper, hn::Set(words, 64)), rounded);
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
