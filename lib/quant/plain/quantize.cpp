#include "quant/plain/blocks.hpp"
#include "quant/plain/plain.hpp"

namespace ggufkit::quant {

template <class Block>
static void encode(const SourceRows& rows, std::byte* out) {
    auto* const blocks = reinterpret_cast<Block*>(out);
    for (std::size_t i = 0; i < rows.count(); ++i) blocks[i].value.set(rows.x[i]);
}

// Rounding to the nearest is the best for each value alone, so importance changes nothing.
void quantize_f32(const SourceRows& rows, std::byte* out) { encode<BlockF32>(rows, out); }
void quantize_f16(const SourceRows& rows, std::byte* out) { encode<BlockF16>(rows, out); }
void quantize_bf16(const SourceRows& rows, std::byte* out) { encode<BlockBF16>(rows, out); }

}  // namespace ggufkit::quant
