#define HWY_TARGET_INCLUDE "quant/measure/extremes.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>

#include "quant/measure/extremes.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// One lane a group, as many as any target has.
const hn::CappedTag<float, 16> tag;

// The numbers of one group, as decoders make them.
template <bool mins>
HWY_INLINE void look_closely(const Codes& codes, std::size_t group, float limit, Extremes& found) {
    const hn::Rebind<std::int32_t, decltype(tag)> words;
    const auto size = static_cast<std::size_t>(codes.groups.size);
    const auto d = hn::Set(tag, codes.scales[group]), m = hn::Set(tag, mins ? codes.mins[group] : 0.0f);
    const auto zero = hn::Set(words, codes.groups.zero);
    const std::int8_t* const at = codes.codes + group * size;
    auto min = hn::Set(tag, found.min), max = hn::Set(tag, found.max);
    for (std::size_t i = 0; i < size; i += hn::Lanes(tag)) {
        const auto code = hn::PromoteTo(words, hn::LoadU(hn::Rebind<std::int8_t, decltype(tag)>(), at + i));
        const auto x = mins ? hn::ConvertTo(tag, code) * d - m : hn::ConvertTo(tag, code - zero) * d;
        min = hn::Min(min, x);
        max = hn::Max(max, x);
        found.zeros += hn::CountTrue(tag, x == hn::Zero(tag));
        if constexpr (!mins) found.zeros -= hn::CountTrue(words, code == zero);  // which are counted already
        found.outliers += hn::CountTrue(tag, hn::Abs(x) > hn::Set(tag, limit));
    }
    found.min = hn::GetLane(hn::MinOfLanes(tag, min));
    found.max = hn::GetLane(hn::MaxOfLanes(tag, max));
}

// What hn::StoreMaskBits() stored of `tag`.
HWY_INLINE std::uint32_t load_bits(const std::uint8_t (&bytes)[8]) {
    return hn::Lanes(tag) <= 8 ? bytes[0] : bytes[0] | std::uint32_t{bytes[1]} << 8;
}

// Visits groups whose largest and smallest code would be outliers, or beyond the range, or that may have a zero.
template <bool mins>
void look_at_groups(const Codes& codes, float limit, Extremes& found) {
    const CodeGroups& of = codes.groups;
    const std::size_t groups = codes.group_count();
    const auto least = hn::Set(tag, static_cast<float>(of.least - of.zero));
    const auto most = hn::Set(tag, static_cast<float>(of.most - of.zero));
    const auto below = hn::Set(tag, std::max(-limit, found.min)), above = hn::Set(tag, std::min(limit, found.max));
    std::uint8_t wanted[Codes::most_groups]
                       [8];  // those of a vector: a bit each, of which hn::StoreMaskBits() may write 64
    std::uint8_t(*to)[8] = wanted;
    for (std::size_t group = 0; group < groups; group += hn::Lanes(tag)) {
        const auto d = hn::Load(tag, codes.scales + group);
        auto a = d * least, b = d * most;
        auto look = d == hn::Zero(tag);
        if constexpr (mins) {
            const auto m = hn::Load(tag, codes.mins + group);
            a = a - m;
            b = b - m;
            look = hn::Or(look, d * hn::Round(m / d) == m);
        }
        look = hn::Or(look, hn::Or(hn::Min(a, b) < below, hn::Max(a, b) > above));
        hn::StoreMaskBits(tag, look, *to++);
    }
    to = wanted;
    for (std::size_t group = 0; group < groups; group += hn::Lanes(tag), ++to) {
        for (std::uint32_t bits = load_bits(*to); bits != 0; bits &= bits - 1) {
            const std::size_t at = group + static_cast<std::size_t>(std::countr_zero(bits));
            if (at < groups) look_closely<mins>(codes, at, limit, found);
        }
    }
}

std::uint64_t count_codes(const Codes& codes, std::int8_t code) {
    const hn::CappedTag<std::int8_t, 64> bytes;
    std::uint64_t found = 0;
    for (std::size_t i = 0; i < codes.count; i += hn::Lanes(bytes)) {
        found += hn::CountTrue(bytes, hn::Load(bytes, codes.codes + i) == hn::Set(bytes, code));
    }
    return found;
}

void find_extremes(const Codes& codes, float limit, Extremes& found) {
    if (codes.groups.mins) return look_at_groups<true>(codes, limit, found);
    found.zeros = count_codes(codes, static_cast<std::int8_t>(codes.groups.zero));
    look_at_groups<false>(codes, limit, found);
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(find_extremes);

Extremes find_extremes(const Codes& codes, float min, float max, float limit) {
    Extremes found{.min = min, .max = max};
    HWY_DYNAMIC_DISPATCH(find_extremes)(codes, limit, found);
    found.min += 0.0f;
    found.max += 0.0f;
    return found;
}

}  // namespace ggufkit::quant
#endif
