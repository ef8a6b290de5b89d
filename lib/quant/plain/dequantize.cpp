#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/plain/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/dequantize_run.hpp"
#include "quant/plain/blocks.hpp"
#include "quant/plain/half_lanes.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// F64 and wide integers round to the nearest float, as conversions do.
template <class Number>
static void decode(const BlockOf<Number>& block, float* HWY_RESTRICT x) {
    x[0] = static_cast<float>(block.value.get());
}

static void decode_halves(const std::byte* blocks, std::size_t count, float* out) {
    const hn::Rebind<std::uint16_t, Numbers> tag;
    const auto exponent = hn::Set(tag, 0x7c00);
    std::size_t i = 0;
    for (; i + number_count <= count; i += number_count) {
        fetch_ahead<2 * number_count>(blocks + 2 * i);
        const auto halves = load_halves(tag, blocks + 2 * i);
        const bool finite = hn::AllFalse(tag, hn::And(halves, exponent) == exponent);
        hn::StoreU(finite ? finite_half_to_number(halves) : half_to_number(halves), numbers, out + i);
    }
    decode_run<BlockF16, decode>(blocks + 2 * i, count - i, out + i);
}

// Eight at a time: stores of 64 bytes that are not aligned would each touch two cache lines.
static void decode_bfloats(const std::byte* blocks, std::size_t count, float* out) {
    const hn::CappedTag<float, 8> numbers;
    const hn::Rebind<std::uint32_t, decltype(numbers)> words;
    const hn::Rebind<std::uint16_t, decltype(numbers)> halves;
    constexpr std::size_t lanes = hn::MaxLanes(numbers);
    const auto decode_some = [&](std::size_t at) {
        const auto upper = hn::ShiftLeft<16>(hn::PromoteTo(words, load_halves(halves, blocks + 2 * at)));
        hn::StoreU(hn::BitCast(numbers, upper), numbers, out + at);
    };
    std::size_t i = 0;
    for (; i + 4 * lanes <= count; i += 4 * lanes) {
        fetch_ahead<8 * lanes>(blocks + 2 * i);
        decode_some(i);
        decode_some(i + lanes);
        decode_some(i + 2 * lanes);
        decode_some(i + 3 * lanes);
    }
    decode_run<BlockBF16, decode>(blocks + 2 * i, count - i, out + i);
}

void dequantize_plain(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    switch (type) {
        case TensorType::F32: return decode_run<BlockF32, decode>(blocks, n_blocks, out);
        case TensorType::F16: return decode_halves(blocks, n_blocks, out);
        case TensorType::BF16: return decode_bfloats(blocks, n_blocks, out);
        case TensorType::F64: return decode_run<BlockF64, decode>(blocks, n_blocks, out);
        case TensorType::I8: return decode_run<BlockI8, decode>(blocks, n_blocks, out);
        case TensorType::I16: return decode_run<BlockI16, decode>(blocks, n_blocks, out);
        case TensorType::I32: return decode_run<BlockI32, decode>(blocks, n_blocks, out);
        case TensorType::I64: return decode_run<BlockI64, decode>(blocks, n_blocks, out);
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
