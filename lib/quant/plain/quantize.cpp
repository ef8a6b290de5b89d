#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/plain/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "format/blocks/plain.hpp"
#include "quant/plain/half_lanes.hpp"
#include "quant/plain/plain.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// Sixteen bits of each number: bits_of(numbers) makes whole vectors of them, Block::value.set() what is left.
template <class Block, class BitsOf>
HWY_INLINE void encode(const SourceRows& rows, std::byte* out, BitsOf bits_of) {
    const HalfNumbers numbers;
    const Halves halves;
    const hn::Rebind<std::int32_t, HalfNumbers> integers;
    const std::size_t count = rows.count();
    std::size_t i = 0;
    for (; i + hn::Lanes(numbers) <= count; i += hn::Lanes(numbers)) {
        const auto bits = hn::DemoteTo(halves, hn::BitCast(integers, bits_of(hn::LoadU(numbers, rows.x + i))));
        store_halves(bits, halves, out + 2 * i);
    }
    auto* const blocks = reinterpret_cast<Block*>(out);
    for (; i < count; ++i) blocks[i].value.set(rows.x[i]);
}

// Rounding to the nearest is the best for each value alone, so importance changes nothing.
void quantize_f16(const SourceRows& rows, std::byte* out) {
    encode<BlockF16>(rows, out, [](auto numbers) { return number_to_half(numbers); });
}
void quantize_bf16(const SourceRows& rows, std::byte* out) {
    encode<BlockBF16>(rows, out, [](auto numbers) { return number_to_bfloat(numbers); });
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(quantize_f16);
HWY_EXPORT(quantize_bf16);

void quantize_f32(const SourceRows& rows, std::byte* out) {
    if (rows.count() != 0) std::memcpy(out, rows.x, rows.count() * sizeof(float));
}
void quantize_f16(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_f16)(rows, out); }
void quantize_bf16(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_bf16)(rows, out); }

}  // namespace ggufkit::quant
#endif
