// Encoders of the k-quants.
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRow quantize_q2_k;
QuantizeRow quantize_q3_k;
QuantizeRow quantize_q4_k;
QuantizeRow quantize_q5_k;
QuantizeRow quantize_q6_k;

}  // namespace ggufkit::quant
