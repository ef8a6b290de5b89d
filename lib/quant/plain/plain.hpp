// Encoders of the types that are not quantized.
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRows quantize_f32;
QuantizeRows quantize_f16;
QuantizeRows quantize_bf16;

}  // namespace ggufkit::quant
