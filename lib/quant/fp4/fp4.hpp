// Encoders of four-bit floating point.
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRows quantize_mxfp4;
QuantizeRows quantize_nvfp4;

}  // namespace ggufkit::quant
