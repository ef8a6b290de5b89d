// From the decoder of one block to the kernel of many: included by quant/<family>/dequantize.cpp, which defines
// decode(const Block&, float*) for each of its structs and instantiates dequantize<Block>().
#pragma once

#include "quant/kernels.hpp"

namespace ggufkit::quant {

template <class Block>
void dequantize(const std::byte* blocks, std::size_t n_blocks, float* out) {
    for (std::size_t i = 0; i < n_blocks; ++i) {
        // A copy: the compiler then knows that no store to `out` changes it.
        const Block block = reinterpret_cast<const Block*>(blocks)[i];
        decode(block, out + i * Block::elements);
    }
}

}  // namespace ggufkit::quant
