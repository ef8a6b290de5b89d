#define HWY_TARGET_INCLUDE "quant/measure/moments.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <functional>

#include "quant/measure/moments.hpp"
#include "quant/measure/power_sums.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t parts = PowerSums::parts;
const hn::CappedTag<float, parts> tag;

// Adds what float lanes hold to doubles, part by part.
HWY_INLINE void widen(hn::Vec<decltype(tag)> sum, double* sums) {
    const hn::CappedTag<double, parts> wide;
    float lanes[parts];
    hn::StoreU(sum, tag, lanes);
    for (std::size_t i = 0; i < hn::Lanes(tag); i += hn::Lanes(wide)) {
        const auto more = hn::PromoteTo(wide, hn::LoadU(hn::Rebind<float, decltype(wide)>(), lanes + i));
        hn::StoreU(hn::LoadU(wide, sums + i) + more, wide, sums + i);
    }
}

using Counts = hn::RebindToSigned<decltype(tag)>;

// Counts, lane by lane, where something is true.
HWY_INLINE void count_in(hn::Mask<decltype(tag)> where, hn::Vec<Counts>& counts) {
    const Counts integers;
#if HWY_TARGET == HWY_AVX3  // masks are no vectors
    counts = hn::IfThenElse(hn::RebindMask(integers, where), counts + hn::Set(integers, 1), counts);
#else
    counts = counts - hn::VecFromMask(integers, hn::RebindMask(integers, where));
#endif
}
HWY_INLINE std::uint64_t total(hn::Vec<Counts> counts) {
    return static_cast<std::uint64_t>(hn::GetLane(hn::SumOfLanes(Counts(), counts)));
}

// What is to be fetched for each `parts` numbers. Fetching what is not there does nothing.
struct Ahead {
    const std::byte* next;
    std::size_t step;
};

// The parts that one vector holds, of `count` numbers that are a multiple of `parts`; where a vector has fewer than all of
// them, the numbers are passed several times. `about_zero`: pivot and unit are 0 and 1.
template <bool about_zero>
HWY_INLINE void add_parts(const float* values, std::size_t count, std::size_t part, Ahead ahead, PowerSums& sums) {
    const auto pivot = hn::Set(tag, sums.pivot), unit = hn::Set(tag, sums.per_unit), none = hn::Zero(tag);
    const auto far = hn::Set(tag, std::numeric_limits<float>::infinity());
    auto min = hn::LoadU(tag, &sums.min[part]), max = hn::LoadU(tag, &sums.max[part]);
    auto zeros = hn::Zero(Counts());
    for (std::size_t at = part; at < count;) {
        // A run short enough for floats to add up.
        const std::size_t end = std::min(at - part + PowerSums::run, count);
        auto s1 = none, s2 = none, s3 = none, s4 = none;
        while (at < end) {
            const std::size_t stretch = at / Reach::stretch;
            const std::size_t stop = std::min((stretch + 1) * Reach::stretch, end);
            auto low = far, high = hn::Neg(far);
            for (; at < stop; at += parts, ahead.next += ahead.step) {
                __builtin_prefetch(ahead.next);
                const auto x = hn::LoadU(tag, values + at);
                const auto d = about_zero ? x : (x - pivot) * unit;
                const auto d2 = d * d;
                s1 += d;
                s2 += d2;
                s3 += d2 * d;
                s4 += d2 * d2;
                low = hn::Min(low, x);
                high = hn::Max(high, x);
                count_in(x == none, zeros);
            }
            min = hn::Min(min, low);
            max = hn::Max(max, high);
            hn::StoreU(hn::Max(hn::Neg(low), high), tag, &sums.reach[stretch][part]);
        }
        widen(s1, sums.s1 + part);
        widen(s2, sums.s2 + part);
        widen(s3, sums.s3 + part);
        widen(s4, sums.s4 + part);
    }
    hn::StoreU(min, tag, &sums.min[part]);
    hn::StoreU(max, tag, &sums.max[part]);
    sums.zeros += total(zeros);
}

void add_powers(const float* values, std::size_t count, const std::byte* ahead, std::size_t ahead_bytes,
                PowerSums& sums) {
    const std::size_t whole = count / parts * parts;
    const std::size_t step = ahead_bytes * parts / count;
    for (std::size_t part = 0; part < parts; part += hn::Lanes(tag)) {
        if (sums.about_zero()) {
            add_parts<true>(values, whole, part, {ahead, step}, sums);
        } else {
            add_parts<false>(values, whole, part, {ahead, step}, sums);
        }
    }
    for (std::size_t at = whole; at < count; ++at) {
        const std::size_t part = at % parts;
        const float d = (values[at] - sums.pivot) * sums.per_unit, d2 = d * d;
        sums.s1[part] += d;
        sums.s2[part] += d2;
        sums.s3[part] += d2 * d;
        sums.s4[part] += d2 * d2;
        sums.min[part] = std::min(sums.min[part], values[at]);
        sums.max[part] = std::max(sums.max[part], values[at]);
        sums.zeros += values[at] == 0.0f;
        float& reach = sums.reach[at / Reach::stretch][part];
        reach = std::max(reach, std::abs(values[at]));
    }
}

std::uint64_t count_beyond(const float* values, std::size_t count, float limit) {
    const auto above = hn::Set(tag, limit);
    auto found = hn::Zero(Counts());
    std::size_t at = 0;
    for (; at + hn::Lanes(tag) <= count; at += hn::Lanes(tag)) {
        count_in(hn::Abs(hn::LoadU(tag, values + at)) > above, found);
    }
    std::uint64_t sum = total(found);
    for (; at < count; ++at) sum += std::abs(values[at]) > limit;
    return sum;
}

void find_bins(const float* values, std::size_t count, const Bins& bins, std::int32_t* found) {
    const hn::Rebind<std::int32_t, decltype(tag)> words;
    const auto low = hn::Set(tag, bins.low), per_unit = hn::Set(tag, bins.per_unit);
    const auto end = hn::Set(tag, static_cast<float>(bins.bins + 1)), one = hn::Set(tag, 1.0f);
    const auto most = hn::Set(tag, std::numeric_limits<float>::max());
    const auto nowhere = hn::Set(words, bins.bins + 2);
    std::size_t at = 0;
    for (; at + hn::Lanes(tag) <= count; at += hn::Lanes(tag)) {
        const auto x = hn::LoadU(tag, values + at);
        const auto y = hn::Min(hn::Max((x - low) * per_unit + one, hn::Zero(tag)), end);
        const auto finite = hn::RebindMask(words, hn::Abs(x) <= most);
        hn::StoreU(hn::IfThenElse(finite, hn::ConvertTo(words, y), nowhere), words, found + at);
    }
    for (; at < count; ++at) {
        const float y = (values[at] - bins.low) * bins.per_unit + 1.0f;
        found[at] = std::isfinite(values[at])
                        ? static_cast<std::int32_t>(std::clamp(y, 0.0f, static_cast<float>(bins.bins + 1)))
                        : bins.bins + 2;
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(add_powers);
HWY_EXPORT(count_beyond);
HWY_EXPORT(find_bins);

namespace {

constexpr auto smaller = [](float a, float b) { return a < b ? a : b; };
constexpr auto larger = [](float a, float b) { return a > b ? a : b; };

// Deviations are in units of about what the first numbers are apart, so that their fourth powers are floats: but most
// weights are as good as they are, since they scatter about zero and not too widely.
PowerSums start(const float* values, std::size_t count) {
    const std::size_t n = std::min(count, PowerSums::parts);
    double first[PowerSums::parts]{};
    std::copy_n(values, n, first);
    PowerSums sums;
    const auto pivot = static_cast<float>(fold(first, std::plus{}) / static_cast<double>(n));
    if (!std::isfinite(pivot)) return sums;
    sums.pivot = pivot;
    float deviations[PowerSums::parts]{};
    for (std::size_t i = 0; i < n; ++i) deviations[i] = std::abs(values[i] - pivot);
    const float spread = fold(deviations, larger);
    if (std::abs(pivot) <= spread / 2 && spread >= 0x1p-16f && spread <= 0x1p16f) {
        sums.pivot = 0;
        return sums;
    }
    constexpr float least = 0x1p-100f, most = 0x1p100f;
    if (spread >= least && spread <= most) {
        // A power of two: nothing is lost.
        const std::uint32_t exponent = std::bit_cast<std::uint32_t>(spread) >> 23;
        sums.per_unit = std::bit_cast<float>((254 - exponent) << 23);
    }
    return sums;
}

// Of a chunk; its parts are joined meanwhile.
struct Totals {
    explicit Totals(PowerSums& sums)
        : powers{fold(sums.s1, std::plus{}), fold(sums.s2, std::plus{}), fold(sums.s3, std::plus{}),
                 fold(sums.s4, std::plus{})},
          min(fold(sums.min, smaller)),
          max(fold(sums.max, larger)) {}
    Powers powers;
    float min, max;
};

// Whether floats were good enough: nothing that is not finite, nothing lost to zero, and a pivot near the mean.
bool is_precise(const Totals& totals, double n) {
    const Powers& powers = totals.powers;
    if (!powers.are_finite()) return false;
    constexpr double tiny = 0x1p-40;  // a square
    return powers.s2 == 0 ? totals.min == totals.max : powers.s2 > tiny && powers.are_near_mean(n);
}

Moments of_totals(const PowerSums& sums, const Totals& totals, std::size_t count) {
    Moments found = moments_of_powers(totals.powers, count, sums.pivot, 1 / static_cast<double>(sums.per_unit));
    found.zeros = sums.zeros;
    found.min = totals.min + 0.0f;
    found.max = totals.max + 0.0f;
    return found;
}

// Any numbers, one after another, in doubles.
Moments with_care(const float* values, std::size_t count) {
    Moments found;
    double sum = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const float x = values[i];
        found.nans += std::isnan(x);
        found.infinities += std::isinf(x);
        if (!std::isfinite(x)) continue;
        ++found.finite;
        found.zeros += x == 0.0f;
        found.min = std::min(found.min, x + 0.0f);
        found.max = std::max(found.max, x + 0.0f);
        sum += x;
    }
    if (found.finite == 0) return found;
    found.mean = sum / static_cast<double>(found.finite);
    for (std::size_t i = 0; i < count; ++i) {
        if (!std::isfinite(values[i])) continue;
        const double d = values[i] - found.mean, d2 = d * d;
        found.m2 += d2;
        found.m3 += d2 * d;
        found.m4 += d2 * d2;
    }
    return found;
}

}  // namespace

bool Powers::are_finite() const { return std::isfinite(s1) && std::isfinite(s2) && std::isfinite(s4); }

bool Powers::are_near_mean(double n) const {
    constexpr double deviations = 16;  // a square
    const double mean = s1 / n, variance = s2 / n - mean * mean;
    return mean * mean <= deviations * variance;
}

Moments moments_of_powers(const Powers& powers, std::size_t count, double pivot, double unit) {
    const auto n = static_cast<double>(count);
    const double unit2 = unit * unit;
    const double a = powers.s1 / n, b = powers.s2 / n, c = powers.s3 / n, d = powers.s4 / n;
    Moments found{.finite = count};
    found.mean = pivot + a * unit;
    found.m2 = n * (b - a * a) * unit2;
    found.m3 = n * (c - 3 * a * b + 2 * a * a * a) * (unit2 * unit);
    found.m4 = n * (d - 4 * a * c + 6 * a * a * b - 3 * a * a * a * a) * (unit2 * unit2);
    return found;
}

// Pébay, "Formulas for robust, one-pass parallel computation of covariances and arbitrary-order statistical moments",
// 2008.
void Moments::add(const Moments& behind) {
    zeros += behind.zeros;
    nans += behind.nans;
    infinities += behind.infinities;
    if (behind.finite == 0) return;
    const auto na = static_cast<double>(finite), nb = static_cast<double>(behind.finite), n = na + nb;
    const double d = behind.mean - mean, d_n = d / n;
    const double m2a = m2, m2b = behind.m2, m3a = m3, m3b = behind.m3;
    mean += nb * d_n;
    m4 += behind.m4 + d * d_n * d_n * d_n * na * nb * (na * na - na * nb + nb * nb) +
          6 * d_n * d_n * (na * na * m2b + nb * nb * m2a) + 4 * d_n * (na * m3b - nb * m3a);
    m3 += m3b + d * d_n * d_n * na * nb * (na - nb) + 3 * d_n * (na * m2b - nb * m2a);
    m2 += m2b + d * d_n * na * nb;
    finite += behind.finite;
    min = std::min(min, behind.min);
    max = std::max(max, behind.max);
}

Moments moments(const float* values, std::size_t count, const std::byte* ahead, std::size_t ahead_bytes, Reach* reach) {
    if (reach) reach->of.fill(std::numeric_limits<float>::infinity());
    if (count == 0) return {};
    PowerSums sums = start(values, count);  // NOLINT(misc-const-correctness): the kernel adds to it
    HWY_DYNAMIC_DISPATCH(add_powers)(values, count, ahead, ahead_bytes, sums);
    const Totals totals(sums);
    if (!is_precise(totals, static_cast<double>(count))) return with_care(values, count);
    if (reach) std::ranges::transform(sums.reach, reach->of.begin(), [](auto& parts) { return fold(parts, larger); });
    return of_totals(sums, totals, count);
}

std::uint64_t count_beyond(const float* values, std::size_t count, float limit) {
    return HWY_DYNAMIC_DISPATCH(count_beyond)(values, count, limit);
}

void count_bins(const float* values, std::size_t count, const Bins& bins, std::uint64_t* counts) {
    // Neighbours are counted apart: most are in few bins, and a count has to be stored before it can be read again.
    constexpr std::size_t apart = 4;
    std::uint32_t some_counts[apart][Bins::most + 4]{};  // and what is not finite
    std::int32_t found[moments_chunk];
    for (std::size_t at = 0; at < count; at += moments_chunk) {
        const std::size_t some = std::min(moments_chunk, count - at);
        HWY_DYNAMIC_DISPATCH(find_bins)(values + at, some, bins, found);
        std::size_t i = 0;
        for (; i + apart <= some; i += apart) {
            for (std::size_t k = 0; k < apart; ++k) ++some_counts[k][found[i + k]];
        }
        for (; i < some; ++i) ++some_counts[0][found[i]];
    }
    for (const auto& more : some_counts) {
        for (int bin = 0; bin < bins.bins + 2; ++bin) counts[bin] += more[bin];
    }
}

}  // namespace ggufkit::quant
#endif
