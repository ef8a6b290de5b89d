// Encoders of the formats of one to two bits.
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRows quantize_tq1_0;
QuantizeRows quantize_tq2_0;
QuantizeRows quantize_q1_0;
QuantizeRows quantize_q2_0;

}  // namespace ggufkit::quant
