// Types that are not quantized: a block is a number.
#define HWY_TARGET_INCLUDE "quant/plain/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "format/blocks/plain.hpp"
#include "quant/kernels-inl.hpp"
#include "quant/plain/half-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// F64 and wide integers round to the nearest float, as conversions do.
template <class Block>
void decode_each(const std::byte* blocks, std::size_t n_blocks, float* out) {
    const auto* const numbers = reinterpret_cast<const Block*>(blocks);
    for (std::size_t i = 0; i < n_blocks; ++i) out[i] = static_cast<float>(numbers[i].value.get());
}

constexpr std::size_t half_count = hn::MaxLanes(HalfNumbers());

// Numbers of sixteen bits, stored where cache lines begin: a vector that is as long as a line would else touch two of them.
template <class Block, class Convert>
void decode_short(const std::byte* blocks, std::size_t count, float* out, Convert convert) {
    const Halves tag;
    const std::size_t beyond_line = reinterpret_cast<std::uintptr_t>(out) / sizeof(float) % half_count;
    std::size_t i = std::min(count, (half_count - beyond_line) % half_count);
    decode_each<Block>(blocks, i, out);
    const auto decode_some = [&](std::size_t at) {
        hn::StoreU(convert(load_halves(tag, blocks + 2 * at)), HalfNumbers(), out + at);
    };
    for (; i + 4 * half_count <= count; i += 4 * half_count) {
        fetch_ahead<8 * half_count>(blocks + 2 * i);
        for (std::size_t k = 0; k < 4; ++k) decode_some(i + k * half_count);
    }
    for (; i + half_count <= count; i += half_count) decode_some(i);
    decode_each<Block>(blocks + 2 * i, count - i, out + i);
}

void decode_halves(const std::byte* blocks, std::size_t count, float* out) {
    decode_short<BlockF16>(blocks, count, out, [](hn::Vec<Halves> halves) HWY_ATTR {
        const Halves tag;
        const auto exponent = hn::Set(tag, 0x7c00);
        const bool finite = hn::AllFalse(tag, hn::And(halves, exponent) == exponent);
        return finite ? finite_half_to_number(halves) : half_to_number(halves);
    });
}

void decode_bfloats(const std::byte* blocks, std::size_t count, float* out) {
    decode_short<BlockBF16>(blocks, count, out, [](hn::Vec<Halves> halves) HWY_ATTR {
        return hn::BitCast(HalfNumbers(), hn::ShiftLeft<16>(hn::PromoteTo(HalfWords(), halves)));
    });
}

// Sixteen bits of each number: bits_of(numbers) makes whole vectors of them, Block::value.set() what is left.
template <class Block, class BitsOf>
HWY_INLINE void encode_short(const SourceRows& rows, std::byte* out, BitsOf bits_of) {
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
void encode_halves(const SourceRows& rows, std::byte* out) {
    encode_short<BlockF16>(rows, out, [](auto numbers) { return number_to_half(numbers); });
}
void encode_bfloats(const SourceRows& rows, std::byte* out) {
    encode_short<BlockBF16>(rows, out, [](auto numbers) { return number_to_bfloat(numbers); });
}

void encode_singles(const SourceRows& rows, std::byte* out) {
    if (rows.count() != 0) std::memcpy(out, rows.x, rows.count() * sizeof(float));
}

std::span<const Kernels> plain_kernels() {
    using enum TensorType;
    static constexpr Kernels table[] = {
        {F32, decode_each<BlockF32>, nullptr, encode_singles},
        {F16, decode_halves, nullptr, encode_halves},
        {BF16, decode_bfloats, nullptr, encode_bfloats},
        {F64, decode_each<BlockF64>},
        {I8, decode_each<BlockI8>},
        {I16, decode_each<BlockI16>},
        {I32, decode_each<BlockI32>},
        {I64, decode_each<BlockI64>},
    };
    return table;
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(plain_kernels);
std::span<const Kernels> plain_kernels() { return HWY_DYNAMIC_DISPATCH(plain_kernels)(); }

}  // namespace ggufkit::quant
#endif
