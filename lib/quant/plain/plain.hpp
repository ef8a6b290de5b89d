// Encoders of the types that are not quantized.
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRow quantize_f32;
QuantizeRow quantize_f16;
QuantizeRow quantize_bf16;

}  // namespace ggufkit::quant
