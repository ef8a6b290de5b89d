// The moments of numbers that are there as codes: what quant/moments.hpp says of numbers, for less work.
//
// Sums of powers of a group's codes are integers, the same on every target in whatever order; its scale and min enter
// once a group. For range and outliers, single numbers are looked at only in the few groups that can have them.
#pragma once

#include <cstdint>
#include <optional>

#include "quant/codes.hpp"
#include "quant/moments.hpp"

namespace ggufkit::quant {

// Of all the codes' numbers, but for range and zeros; nothing where floats do not do: moments() of the numbers does.
std::optional<Moments> code_moments(const Codes& codes);

// What can be told of single numbers. Finite ones: code_moments() must have found something.
struct Extremes {
    float min, max;              // of these numbers and of those before
    std::uint64_t zeros = 0;     // of these
    std::uint64_t outliers = 0;  // further than the limit from zero
};
Extremes find_extremes(const Codes& codes, float min, float max, float limit);

}  // namespace ggufkit::quant
