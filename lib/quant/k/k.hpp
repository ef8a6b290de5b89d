// Encoders of the k-quants.
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRows quantize_q2_k;
QuantizeRows quantize_q3_k;
QuantizeRows quantize_q4_k;
QuantizeRows quantize_q5_k;
QuantizeRows quantize_q6_k;

}  // namespace ggufkit::quant
