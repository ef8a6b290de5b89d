#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/plain/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "format/blocks/plain.hpp"
#include "quant/dequantize_run.hpp"
#include "quant/plain/half_lanes.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// F64 and wide integers round to the nearest float, as conversions do.
template <class Number>
static void decode(const BlockOf<Number>& block, float* HWY_RESTRICT x) {
    x[0] = static_cast<float>(block.value.get());
}

template <class Block>
static void decode_run(const std::byte* blocks, std::size_t n_blocks, float* out) {
    for (std::size_t i = 0; i < n_blocks; ++i) decode(reinterpret_cast<const Block*>(blocks)[i], out + i);
}

static constexpr std::size_t half_count = hn::MaxLanes(HalfNumbers());

// Numbers of sixteen bits, stored where cache lines begin: a vector that is as long as a line would else touch two of them.
template <class Block, class Convert>
static void decode_short(const std::byte* blocks, std::size_t count, float* out, Convert convert) {
    const Halves tag;
    const std::size_t beyond_line = reinterpret_cast<std::uintptr_t>(out) / sizeof(float) % half_count;
    std::size_t i = std::min(count, (half_count - beyond_line) % half_count);
    decode_run<Block>(blocks, i, out);
    const auto decode_some = [&](std::size_t at) {
        hn::StoreU(convert(load_halves(tag, blocks + 2 * at)), HalfNumbers(), out + at);
    };
    for (; i + 4 * half_count <= count; i += 4 * half_count) {
        fetch_ahead<8 * half_count>(blocks + 2 * i);
        for (std::size_t k = 0; k < 4; ++k) decode_some(i + k * half_count);
    }
    for (; i + half_count <= count; i += half_count) decode_some(i);
    decode_run<Block>(blocks + 2 * i, count - i, out + i);
}

static void decode_halves(const std::byte* blocks, std::size_t count, float* out) {
    decode_short<BlockF16>(blocks, count, out, [](hn::Vec<Halves> halves) HWY_ATTR {
        const Halves tag;
        const auto exponent = hn::Set(tag, 0x7c00);
        const bool finite = hn::AllFalse(tag, hn::And(halves, exponent) == exponent);
        return finite ? finite_half_to_number(halves) : half_to_number(halves);
    });
}

static void decode_bfloats(const std::byte* blocks, std::size_t count, float* out) {
    decode_short<BlockBF16>(blocks, count, out, [](hn::Vec<Halves> halves) HWY_ATTR {
        return hn::BitCast(HalfNumbers(), hn::ShiftLeft<16>(hn::PromoteTo(HalfWords(), halves)));
    });
}

void dequantize_plain(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    switch (type) {
        case TensorType::F32: return decode_run<BlockF32>(blocks, n_blocks, out);
        case TensorType::F16: return decode_halves(blocks, n_blocks, out);
        case TensorType::BF16: return decode_bfloats(blocks, n_blocks, out);
        case TensorType::F64: return decode_run<BlockF64>(blocks, n_blocks, out);
        case TensorType::I8: return decode_run<BlockI8>(blocks, n_blocks, out);
        case TensorType::I16: return decode_run<BlockI16>(blocks, n_blocks, out);
        case TensorType::I32: return decode_run<BlockI32>(blocks, n_blocks, out);
        case TensorType::I64: return decode_run<BlockI64>(blocks, n_blocks, out);
        default: return;
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_plain);
void dequantize_plain(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_plain)(type, blocks, n_blocks, out);
}

}  // namespace ggufkit::quant
#endif
