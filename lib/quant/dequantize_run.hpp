// From the decoder of one block to that of many: included by quant/<family>/dequantize.cpp, which defines
// decode(const Block&, float*) for each of its structs.
//
// Decoders are plain loops (through a restricted pointer: no store changes the block), compiled once for each target, whose vectors the compiler knows how to use.
#include "quant/kernels.hpp"

#if defined(GGUFKIT_QUANT_DEQUANTIZE_RUN_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_DEQUANTIZE_RUN_HPP
#undef GGUFKIT_QUANT_DEQUANTIZE_RUN_HPP
#else
#define GGUFKIT_QUANT_DEQUANTIZE_RUN_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

template <class Block, void (*decode)(const Block&, float*)>
void decode_run(const std::byte* blocks, std::size_t n_blocks, float* out) {
    for (std::size_t i = 0; i < n_blocks; ++i) {
        decode(reinterpret_cast<const Block*>(blocks)[i], out + i * Block::elements);
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
