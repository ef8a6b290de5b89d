// What each type can do here: its scalar kernels, which are the specification of its numbers.
#pragma once

#include <cstddef>

#include <ggufkit/format.hpp>

namespace ggufkit::quant {

// Decodes `n_blocks` blocks that lie one after another.
using DequantizeBlocks = void(const std::byte* blocks, std::size_t n_blocks, float* out);

// Encodes one row of `n` finite values, a whole number of blocks. `importance` is null or holds n weights.
using QuantizeRow = void(const float* row, std::size_t n, std::byte* out, const float* importance);

struct Kernels {
    TensorType type;
    DequantizeBlocks* dequantize;
    QuantizeRow* quantize;  // null where the type can only be read
};

// The row of a type, or null where there are no kernels for it.
const Kernels* find_kernels(TensorType type) noexcept;

// The decoder of a block struct: quant/<family>/dequantize.cpp instantiates it.
template <class Block>
void dequantize(const std::byte* blocks, std::size_t n_blocks, float* out);

}  // namespace ggufkit::quant
