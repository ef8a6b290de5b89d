#include "quant/dequantize_run.hpp"
#include "quant/plain/blocks.hpp"

namespace ggufkit::quant {

// F64 and wide integers round to the nearest float, as conversions do.
template <class Number>
static void decode(const BlockOf<Number>& block, float* x) {
    x[0] = static_cast<float>(block.value.get());
}

template DequantizeBlocks dequantize<BlockF32>;
template DequantizeBlocks dequantize<BlockF16>;
template DequantizeBlocks dequantize<BlockBF16>;
template DequantizeBlocks dequantize<BlockF64>;
template DequantizeBlocks dequantize<BlockI8>;
template DequantizeBlocks dequantize<BlockI16>;
template DequantizeBlocks dequantize<BlockI32>;
template DequantizeBlocks dequantize<BlockI64>;

}  // namespace ggufkit::quant
