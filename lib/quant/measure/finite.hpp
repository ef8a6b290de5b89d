// Looking for NaN and infinities.
#pragma once

#include <cstddef>

namespace ggufkit::quant {

bool all_finite(const float* values, std::size_t count);

}  // namespace ggufkit::quant
