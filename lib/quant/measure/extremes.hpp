// The range of numbers that are there as codes, their zeros and their outliers.
//
// The largest and smallest code tell for most groups that nothing in them matters: single numbers are looked at in the few
// others.
#pragma once

#include <cstdint>

#include "quant/codes.hpp"

namespace ggufkit::quant {

struct Extremes {
    float min, max;              // of these numbers and of those before
    std::uint64_t zeros = 0;     // of these
    std::uint64_t outliers = 0;  // further than the limit from zero
};

// Of finite numbers: code_moments() must have found something.
Extremes find_extremes(const Codes& codes, float min, float max, float limit);

}  // namespace ggufkit::quant
