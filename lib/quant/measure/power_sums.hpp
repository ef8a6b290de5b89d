// Sums of powers in float, as quant/measure/moments.cpp takes them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>

#include "quant/measure/moments.hpp"

namespace ggufkit::quant {

// Every sum is kept in parts: number n of a chunk goes into part n modulo `parts`, on every instruction set, so that all
// of them add the same numbers in the same order. Floats add up no more than `run` numbers before doubles take over.
struct PowerSums {
    static constexpr std::size_t parts = 16;
    static constexpr std::size_t run = 2048;

    PowerSums() {
        for (std::size_t i = 0; i < parts; ++i) {
            min[i] = std::numeric_limits<float>::infinity();
            max[i] = -min[i];
        }
    }

    bool about_zero() const { return pivot == 0 && per_unit == 1; }

    float pivot = 0;
    float per_unit = 1;
    double s1[parts]{}, s2[parts]{}, s3[parts]{}, s4[parts]{};  // of ((x - pivot) per_unit)^1, ^2, ^3, ^4
    float min[parts], max[parts];
    float reach[moments_chunk / Reach::stretch][parts]{};
    std::uint64_t zeros = 0;
};

// Sums of the powers of numbers that are codes: group n of a chunk goes into part n modulo `parts`.
struct CodePowerSums {
    float s1[PowerSums::parts], s2[PowerSums::parts], s3[PowerSums::parts], s4[PowerSums::parts];
    float uncancelled[PowerSums::parts];  // s2, had scaled codes and minima not taken from one another
};

// Joins parts, the second half with the first, until one is left.
template <std::size_t count = PowerSums::parts, class Part, class Join>
Part fold(Part (&parts)[PowerSums::parts], Join join) {
    constexpr std::size_t half = count / 2;
    for (std::size_t i = 0; i < half; ++i) parts[i] = join(parts[i], parts[i + half]);
    if constexpr (half > 1) return fold<half>(parts, join);
    return parts[0];
}

// Of sums of powers about zero or a pivot.
struct Powers {
    double s1, s2, s3, s4;

    bool are_finite() const;
    // Whether the mean is no further away than a few spreads.
    bool are_near_mean(double n) const;
};
// All but range and zeros.
Moments moments_of_powers(const Powers& powers, std::size_t count, double pivot = 0, double unit = 1);

}  // namespace ggufkit::quant
