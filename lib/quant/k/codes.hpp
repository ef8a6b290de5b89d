// What the encoders of k-quants find, before it is packed.
#pragma once

#include <cstdint>

namespace ggufkit::quant {

struct AffineCodes {
    float d;
    float dmin;
    std::uint8_t scale[16];
    std::uint8_t min[16];
    std::uint8_t code[256];
};

struct SymmetricCodes {
    float d;
    std::int8_t scale[16];
    std::uint8_t code[256];  // that of a value
};

}  // namespace ggufkit::quant
