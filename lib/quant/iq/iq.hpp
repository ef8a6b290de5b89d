// Encoders of the types that are made of codebook points.
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRows quantize_iq1_s;
QuantizeRows quantize_iq1_m;
QuantizeRows quantize_iq2_xxs;
QuantizeRows quantize_iq2_xs;
QuantizeRows quantize_iq2_s;
QuantizeRows quantize_iq3_xxs;
QuantizeRows quantize_iq3_s;

}  // namespace ggufkit::quant
