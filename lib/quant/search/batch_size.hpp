// How many sub-blocks are searched together, on every target.
#pragma once

namespace ggufkit::quant {

inline constexpr int batch_size = 16;

}  // namespace ggufkit::quant
