// The moments of numbers that are there as codes: what quant/measure/moments.hpp says of numbers, for less work.
//
// Sums of powers of a group's codes are integers, the same on every target in whatever order; its scale and min enter
// once a group.
#pragma once

#include <optional>

#include "quant/codes.hpp"
#include "quant/measure/moments.hpp"

namespace ggufkit::quant {

// Of all the codes' numbers, but for range and zeros, which quant/measure/extremes.hpp has; nothing where floats do not
// do: moments() of the numbers does.
std::optional<Moments> code_moments(const Codes& codes);

}  // namespace ggufkit::quant
