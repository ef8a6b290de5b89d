#define HWY_TARGET_INCLUDE "quant/measure/code_moments.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <array>
#include <functional>

#include "quant/measure/code_moments.hpp"
#include "quant/measure/power_sums.hpp"

#ifndef GGUFKIT_QUANT_GROUP_SUMS  // once, and not for each target
#define GGUFKIT_QUANT_GROUP_SUMS
namespace ggufkit::quant {

// There are two steps: sum_groups() takes powers of the codes alone, and add_groups() makes of them those of the numbers,
// scale and min included, and adds them up.
//
// This is what is between them. Of each group: sums of the powers of its codes, less the center. The fourth is
// s4 + 4096 * s4_high, where codes are wide.
struct GroupSums {
    alignas(64) std::int32_t s1[Codes::most_groups], s2[Codes::most_groups], s3[Codes::most_groups];
    alignas(64) std::int32_t s4[Codes::most_groups], s4_high[Codes::most_groups];
};

// What is taken off codes so that they scatter about zero: binomials of sums would else cancel digits.
constexpr int center(const CodeGroups& groups) {
    return groups.mins ? (groups.least + groups.most + 1) / 2 : groups.zero;
}

// Whether a sum of 32 fourth powers is beyond integers of 32 bits.
constexpr bool is_wide(const CodeGroups& groups) {
    const int most = std::max(groups.most - center(groups), center(groups) - groups.least);
    return most > 90;
}

}  // namespace ggufkit::quant
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_BASELINE_SCALAR

template <bool wide, int size>
void sum_groups(const Codes& codes, GroupSums& sums) {
    for (std::size_t group = 0; group < codes.group_count(); ++group) {
        std::int64_t s1 = 0, s2 = 0, s3 = 0, s4 = 0;
        for (int i = 0; i < size; ++i) {
            const int q = codes.codes[group * size + static_cast<std::size_t>(i)] - center(codes.groups);
            s1 += q;
            s2 += q * q;
            s3 += q * q * q;
            s4 += q * q * q * q;
        }
        sums.s1[group] = static_cast<std::int32_t>(s1);
        sums.s2[group] = static_cast<std::int32_t>(s2);
        sums.s3[group] = static_cast<std::int32_t>(s3);
        sums.s4[group] = static_cast<std::int32_t>(wide ? s4 & 4095 : s4);
        sums.s4_high[group] = static_cast<std::int32_t>(s4 >> 12);
    }
}

#else

using CodeBytes = hn::CappedTag<std::int8_t, 64>;
using Shorts = hn::Repartition<std::int16_t, CodeBytes>;
using Sums = hn::Repartition<std::int32_t, CodeBytes>;
using SumLanes = hn::Vec<Sums>;
constexpr std::size_t sum_count = hn::MaxLanes(Sums());
constexpr std::size_t chains = sum_count / 4;  // blocks of 128 bits

// Sums of products of neighbours, those of a group in its 128 bits.
HWY_INLINE SumLanes products(hn::Vec<Shorts> a, hn::Vec<Shorts> b) {
    auto more = hn::Zero(Sums());
    const auto sums = hn::ReorderWidenMulAccumulate(Sums(), a, b, hn::Zero(Sums()), more);
    return sums + more;
}

// Lane i is the sum of the four lanes of group i: they are the 128 bits of four vectors.
template <int size>
HWY_INLINE SumLanes sum_blocks(const SumLanes (&v)[4]) {
    const Sums tag;
    const hn::Repartition<std::int64_t, Sums> pairs;
    const auto ab = hn::BitCast(pairs, hn::InterleaveLower(tag, v[0], v[1]) + hn::InterleaveUpper(tag, v[0], v[1]));
    const auto cd = hn::BitCast(pairs, hn::InterleaveLower(tag, v[2], v[3]) + hn::InterleaveUpper(tag, v[2], v[3]));
    const SumLanes sums =
        hn::BitCast(tag, hn::InterleaveLower(pairs, ab, cd)) + hn::BitCast(tag, hn::InterleaveUpper(pairs, ab, cd));
    if constexpr (chains == 1) return sums;
    // Where the sum of group i is: 128 bits of vector v are those of group v * chains + places[their number].
    alignas(64) static constexpr auto order = [] {
        constexpr std::size_t places[4] = {0, size == 32 && chains == 4 ? 2 : 1, size == 32 ? 1 : 2, 3};
        std::array<std::int32_t, sum_count> order{};
        for (std::size_t v = 0; v < 4; ++v) {
            for (std::size_t b = 0; b < chains; ++b) {
                order[v * chains + places[b]] = static_cast<std::int32_t>(4 * b + v);
            }
        }
        return order;
    }();
    return hn::TableLookupLanes(sums, hn::SetTableIndices(tag, order.data()));
}

// Of the codes of some groups, 128 bits of each.
struct PowerLanes {
    SumLanes s1, s2, s3, s4;
};
HWY_INLINE PowerLanes sum_powers(hn::Vec<CodeBytes> codes) {
    const Shorts shorts;
    const auto both = hn::BitCast(shorts, codes);
    const auto a = hn::ShiftRight<8>(hn::ShiftLeft<8>(both)), b = hn::ShiftRight<8>(both);
    const auto a2 = a * a, b2 = b * b;
    return {products(a + b, hn::Set(shorts, 1)), products(a, a) + products(b, b), products(a2, a) + products(b2, b),
            products(a2, a2) + products(b2, b2)};
}
HWY_INLINE PowerLanes operator+(const PowerLanes& a, const PowerLanes& b) {
    return {a.s1 + b.s1, a.s2 + b.s2, a.s3 + b.s3, a.s4 + b.s4};
}

// Adds the codes of as many groups as a vector has 128 bits.
template <int size>
HWY_INLINE PowerLanes add_vector(const std::int8_t* codes, hn::Vec<CodeBytes> center) {
    const CodeBytes bytes;
    const auto a = hn::Load(bytes, codes) - center;
    if constexpr (size == 16) return sum_powers(a);
    const auto b = hn::Load(bytes, codes + hn::Lanes(bytes)) - center;
    if constexpr (chains == 1) return sum_powers(a) + sum_powers(b);
    // First halves of groups, and second ones: in vectors of 512 bits those of groups 0, 2, 1, 3.
    return sum_powers(hn::OddEvenBlocks(hn::SwapAdjacentBlocks(b), a)) +
           sum_powers(hn::OddEvenBlocks(b, hn::SwapAdjacentBlocks(a)));
}

template <bool wide, int size>
void sum_groups(const Codes& codes, GroupSums& sums) {
    const Sums words;
    const auto off = hn::Set(CodeBytes(), static_cast<std::int8_t>(center(codes.groups)));
    const std::size_t groups = codes.group_count();
    for (std::size_t group = 0; group < groups; group += sum_count) {
        SumLanes s1[4], s2[4], s3[4], s4[4], high[4];
        for (std::size_t v = 0; v < 4; ++v) {
            const PowerLanes found = add_vector<size>(codes.codes + (group + v * chains) * size, off);
            s1[v] = found.s1;
            s2[v] = found.s2;
            s3[v] = found.s3;
            s4[v] = wide ? hn::And(found.s4, hn::Set(words, 4095)) : found.s4;
            const hn::RebindToUnsigned<Sums> positive;  // eight fourth powers of -128 are 2^31
            high[v] = hn::BitCast(words, hn::ShiftRight<12>(hn::BitCast(positive, found.s4)));
        }
        hn::Store(sum_blocks<size>(s1), words, sums.s1 + group);
        hn::Store(sum_blocks<size>(s2), words, sums.s2 + group);
        hn::Store(sum_blocks<size>(s3), words, sums.s3 + group);
        hn::Store(sum_blocks<size>(s4), words, sums.s4 + group);
        if constexpr (wide) hn::Store(sum_blocks<size>(high), words, sums.s4_high + group);
    }
}

#endif

constexpr std::size_t parts = PowerSums::parts;
const hn::CappedTag<float, parts> tag;
using NumberLanes = hn::Vec<decltype(tag)>;

HWY_INLINE NumberLanes load_sums(const std::int32_t* sums) {
    return hn::ConvertTo(tag, hn::Load(hn::RebindToSigned<decltype(tag)>(), sums));
}

// Group i goes into part i modulo `parts`.
template <bool wide, bool mins>
void add_groups(const Codes& codes, const GroupSums& sums, CodePowerSums& total) {
    const std::size_t groups = codes.group_count();
    const auto off = hn::Set(tag, static_cast<float>(center(codes.groups)));
    const auto size = hn::Set(tag, static_cast<float>(codes.groups.size));
    for (std::size_t part = 0; part < parts; part += hn::Lanes(tag)) {
        auto t1 = hn::Zero(tag), t2 = t1, t3 = t1, t4 = t1, uncancelled = t1;
        for (std::size_t group = part; group < groups; group += parts) {
            const auto d = hn::Load(tag, codes.scales + group), d2 = d * d;
            const auto s1 = load_sums(sums.s1 + group) * d;
            const auto s2 = load_sums(sums.s2 + group) * d2;
            const auto s3 = load_sums(sums.s3 + group) * (d2 * d);
            auto s4 = load_sums(sums.s4 + group);
            if constexpr (wide) s4 += load_sums(sums.s4_high + group) * hn::Set(tag, 4096.0f);
            s4 = s4 * (d2 * d2);
            if constexpr (mins) {
                // Of y - m, by the binomial theorem.
                const auto m = hn::Load(tag, codes.mins + group) - off * d, m0 = m * size;
                const auto twice = s1 + s1, thrice = twice + s1;
                const auto three = hn::Set(tag, 3.0f), four = hn::Set(tag, 4.0f), six = hn::Set(tag, 6.0f);
                t1 += s1 - m0;
                t2 += s2 - m * (twice - m0);
                t3 += s3 - m * (three * s2 - m * (thrice - m0));
                t4 += s4 - m * (four * s3 - m * (six * s2 - m * (four * s1 - m0)));
                uncancelled += s2 + m * m0;
            } else {
                t1 += s1;
                t2 += s2;
                t3 += s3;
                t4 += s4;
            }
        }
        hn::StoreU(t1, tag, total.s1 + part);
        hn::StoreU(t2, tag, total.s2 + part);
        hn::StoreU(t3, tag, total.s3 + part);
        hn::StoreU(t4, tag, total.s4 + part);
        hn::StoreU(mins ? uncancelled : t2, tag, total.uncancelled + part);
    }
}

template <bool wide, bool mins>
HWY_INLINE void add_codes(const Codes& codes, CodePowerSums& total) {
    GroupSums sums;
    if (codes.groups.size == 16) {
        sum_groups<wide, 16>(codes, sums);
    } else {
        sum_groups<wide, 32>(codes, sums);
    }
    add_groups<wide, mins>(codes, sums, total);
}
void sum_codes(const Codes& codes, CodePowerSums& total) {
    if (codes.groups.mins) return add_codes<false, true>(codes, total);
    return is_wide(codes.groups) ? add_codes<true, false>(codes, total) : add_codes<false, false>(codes, total);
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(sum_codes);

std::optional<Moments> code_moments(const Codes& codes) {
    CodePowerSums parts;  // NOLINT(misc-const-correctness): the kernel fills it
    HWY_DYNAMIC_DISPATCH(sum_codes)(codes, parts);
    const auto sum = [](const float(&of)[PowerSums::parts]) {
        double wide[PowerSums::parts];
        std::copy(std::begin(of), std::end(of), wide);
        return fold(wide, std::plus{});
    };
    const Powers powers{sum(parts.s1), sum(parts.s2), sum(parts.s3), sum(parts.s4)};
    const auto n = static_cast<double>(codes.count);
    constexpr double tiny = 0x1p-56, cancelled = 8;  // squares
    const bool precise = powers.are_finite() && powers.s2 > n * tiny &&
                         cancelled * powers.s2 >= sum(parts.uncancelled) && powers.are_near_mean(n);
    if (!precise) return {};
    return moments_of_powers(powers, codes.count);
}

}  // namespace ggufkit::quant
#endif
