#include "quant/plain/blocks.hpp"
#include "quant/plain/plain.hpp"

namespace ggufkit::quant {

template <class Block>
static void encode(const float* row, std::size_t n, std::byte* out) {
    auto* const blocks = reinterpret_cast<Block*>(out);
    for (std::size_t i = 0; i < n; ++i) blocks[i].value.set(row[i]);
}

// Rounding to the nearest is the best for each value alone, so importance changes nothing.
void quantize_f32(const float* row, std::size_t n, std::byte* out, const float*) { encode<BlockF32>(row, n, out); }
void quantize_f16(const float* row, std::size_t n, std::byte* out, const float*) { encode<BlockF16>(row, n, out); }
void quantize_bf16(const float* row, std::size_t n, std::byte* out, const float*) { encode<BlockBF16>(row, n, out); }

}  // namespace ggufkit::quant
