// Encoders of the first generation. Q8_0 is bit-equal to the reference; the others search.
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRows quantize_q4_0;
QuantizeRows quantize_q4_1;
QuantizeRows quantize_q5_0;
QuantizeRows quantize_q5_1;
QuantizeRows quantize_q8_0;

}  // namespace ggufkit::quant
