#include "inspect/scales.hpp"

#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "core/bytes.hpp"
#include "core/half.hpp"
#include "quant/fp4/blocks.hpp"
#include "quant/iq/blocks.hpp"

namespace ggufkit::inspect {

namespace {

template <std::size_t width, class Decode>
void read_all(const FormatInfo& format, const Field& field, std::span<const std::byte> blocks, float* out,
              Decode decode) {
    const std::size_t n_blocks = blocks.size() / format.block_bytes, count = scale_count(field);
    for (std::size_t block = 0; block < n_blocks; ++block) {
        const std::byte* const first = blocks.data() + block * format.block_bytes + field.offset;
        for (std::size_t i = 0; i < count; ++i) *out++ = decode(first + i * width);
    }
}

float decode_half(const std::byte* at) { return half_to_float(load<std::uint16_t>(at, ByteOrder::little)); }
float decode_single(const std::byte* at) { return std::bit_cast<float>(load<std::uint32_t>(at, ByteOrder::little)); }
float decode_e8m0(const std::byte* at) {
    const auto bits = std::to_integer<std::uint8_t>(*at);
    return bits == 0xff ? std::numeric_limits<float>::quiet_NaN() : 2 * quant::E8M0{bits}.half();
}
float decode_ue4m3(const std::byte* at) {
    const auto bits = std::to_integer<std::uint8_t>(*at);
    return bits == 0x7f ? std::numeric_limits<float>::quiet_NaN() : 2 * quant::UE4M3{bits}.half();
}
float decode_around_half(const std::byte* at) {
    quant::ScalesAroundHalf scales;
    std::memcpy(&scales, at, sizeof scales);
    return scales.d();
}

}  // namespace

bool is_scale(const FormatInfo& format, const Field& field) {
    return format.quantized() && field.number != Number::bits && field.number != Number::integer;
}

std::size_t scale_count(const Field& field) { return field.number == Number::f16_in_top_nibbles ? 1 : field.count; }

void read_scales(const FormatInfo& format, const Field& field, std::span<const std::byte> blocks,
                 std::vector<float>& scales) {
    scales.resize(blocks.size() / format.block_bytes * scale_count(field));
    switch (field.number) {
        case Number::f16: return read_all<2>(format, field, blocks, scales.data(), decode_half);
        case Number::f32: return read_all<4>(format, field, blocks, scales.data(), decode_single);
        case Number::e8m0: return read_all<1>(format, field, blocks, scales.data(), decode_e8m0);
        case Number::ue4m3: return read_all<1>(format, field, blocks, scales.data(), decode_ue4m3);
        case Number::f16_in_top_nibbles: return read_all<8>(format, field, blocks, scales.data(), decode_around_half);
        case Number::bf16:
        case Number::f64:
        case Number::bits:
        case Number::integer: break;  // no block has a scale of these
    }
}

float smallest_normal(Number number) {
    switch (number) {
        case Number::f16:
        case Number::f16_in_top_nibbles: return 0x1p-14f;
        case Number::ue4m3: return 0x1p-6f;
        default: return std::numeric_limits<float>::min();
    }
}

}  // namespace ggufkit::inspect
