// Encoders of IQ4_NL and IQ4_XS, and where in their table of values a number is.
#pragma once

#include "quant/iq/codebooks.hpp"
#include "quant/kernels.hpp"

namespace ggufkit::quant {

QuantizeRows quantize_iq4_nl;
QuantizeRows quantize_iq4_xs;

struct Iq4Tables {
    alignas(64) float value[16];
    alignas(64) float middle[16];  // between a value and the next

    constexpr Iq4Tables() : value{}, middle{} {
        for (int i = 0; i < 16; ++i) value[i] = static_cast<float>(iq4_values[i]);
        for (int i = 0; i < 15; ++i) middle[i] = (value[i] + value[i + 1]) / 2;
    }
};
inline constexpr Iq4Tables iq4_tables;

// The values are so nearly even that a line says which two of them may be the nearest to x: the integer nearest to
// slope x + base, from 0 to 14, and the next. The middle between them decides.
struct Iq4Line {
    static constexpr float slope = 0.072f, base = 7.38f;
};
static_assert([] {
    for (int i = 0; i < 15; ++i) {
        const float at = iq4_tables.middle[i] * Iq4Line::slope + Iq4Line::base;
        if ((i > 0 && at < static_cast<float>(i) - 0.49f) || (i < 14 && at > static_cast<float>(i) + 0.49f))
            return false;
    }
    return true;
}());

}  // namespace ggufkit::quant
