#include <algorithm>
#include <bit>
#include <cstdint>

#include "format/blocks/legacy.hpp"
#include "quant/legacy/legacy.hpp"

namespace ggufkit::quant {

// Nearest integer, halves away from zero, as std::round; but exact steps that vectorize on every target.
static int round_half_away(float x) {
    const int whole = static_cast<int>(x);
    const float rest = x - static_cast<float>(whole);  // exact
    return whole + (rest >= 0.5f ? 1 : 0) - (rest <= -0.5f ? 1 : 0);
}

// Magnitudes of finite floats compare as their bits do, and a maximum of integers vectorizes.
static float largest_magnitude(const float* x) {
    std::int32_t largest = 0;
    for (int j = 0; j < 32; ++j) largest = std::max(largest, std::bit_cast<std::int32_t>(x[j]) & 0x7fffffff);
    return std::bit_cast<float>(largest);
}

// Bit-equal to the reference, so that a Q8_0 file made here is the one that everybody has: the largest magnitude
// becomes 127, and codes are made with the scale as it was before it became a binary16.
static void encode(const float* x, BlockQ8_0& block) {
    const float d = largest_magnitude(x) / 127.0f;
    // The inverse of a smaller d is infinite; there the codes are zero, as their scale is once it is a binary16.
    const float inverse = d > 0x1p-128f ? 1.0f / d : 0.0f;
    block.d.set(d);
    for (int j = 0; j < 32; ++j) block.qs[j] = static_cast<std::int8_t>(round_half_away(x[j] * inverse));
}

void quantize_q8_0(const SourceRows& rows, std::byte* out) {
    auto* const blocks = reinterpret_cast<BlockQ8_0*>(out);
    for (std::size_t i = 0; i < rows.count() / BlockQ8_0::elements; ++i) {
        encode(rows.x + i * BlockQ8_0::elements, blocks[i]);
    }
}

}  // namespace ggufkit::quant
