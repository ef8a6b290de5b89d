// Encoders of the first generation. Q8_0 is bit-equal to the reference; the others search.
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRow quantize_q4_0;
QuantizeRow quantize_q4_1;
QuantizeRow quantize_q5_0;
QuantizeRow quantize_q5_1;
QuantizeRow quantize_q8_0;

}  // namespace ggufkit::quant
