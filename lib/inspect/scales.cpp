#include "inspect/scales.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <limits>

#include "core/bytes.hpp"
#include "format/blocks/fp4.hpp"
#include "format/blocks/iq.hpp"
#include "quant/kernels.hpp"
#include "quant/simd/target.hpp"

namespace ggufkit::inspect {

namespace {

template <std::size_t width, class Out, class Decode>
void read_all(const FormatInfo& format, const Field& field, std::span<const std::byte> blocks, Out* out,
              Decode decode) {
    const std::size_t n_blocks = blocks.size() / format.block_bytes, count = scale_count(field);
    const std::byte* number = blocks.data() + field.offset;
    if (count == 1) {  // a loop of its own, since most are so
        for (std::size_t block = 0; block < n_blocks; ++block) out[block] = decode(number + block * format.block_bytes);
        return;
    }
    for (std::size_t block = 0; block < n_blocks; ++block, number += format.block_bytes) {
        for (std::size_t i = 0; i < count; ++i) *out++ = decode(number + i * width);
    }
}

// Put side by side, so that they can be decoded as many are.
void read_halves(const FormatInfo& format, const Field& field, std::span<const std::byte> blocks, float* out) {
    constexpr std::size_t most = 512;
    std::array<std::uint16_t, most> halves;
    quant::choose_simd_target();
    quant::DecodeBlocks* const decode = quant::find_kernels(TensorType::F16)->decode;
    const std::size_t some = most / scale_count(field) * format.block_bytes;
    for (std::size_t at = 0; at < blocks.size(); at += some) {
        std::uint16_t* to = halves.data();
        const auto next = blocks.subspan(at, std::min(some, blocks.size() - at));
        read_all<2>(format, field, next, to,
                    [](const std::byte* from) { return load<std::uint16_t>(from, native_order); });
        const std::size_t n = next.size() / format.block_bytes * scale_count(field);
        decode(std::as_bytes(std::span(halves)).data(), n, out);
        out += n;
    }
}

float decode_single(const std::byte* at) { return std::bit_cast<float>(load<std::uint32_t>(at, ByteOrder::little)); }
float decode_around_half(const std::byte* at) {
    format::ScalesAroundHalf scales;
    std::memcpy(&scales, at, sizeof scales);
    return scales.d();
}

// The numbers of all bytes.
template <class Number>
struct ByteNumbers {
    std::array<float, 256> of{};
    constexpr explicit ByteNumbers(unsigned not_a_number) {
        for (unsigned bits = 0; bits < of.size(); ++bits) {
            of[bits] = bits == not_a_number ? std::numeric_limits<float>::quiet_NaN()
                                            : 2 * Number{static_cast<std::uint8_t>(bits)}.half();
        }
    }
    float operator()(const std::byte* at) const { return of[std::to_integer<std::uint8_t>(*at)]; }
};
constexpr ByteNumbers<format::E8M0> decode_e8m0(0xff);
constexpr ByteNumbers<format::UE4M3> decode_ue4m3(0x7f);

}  // namespace

bool is_scale(const FormatInfo& format, const Field& field) {
    return format.quantized() && field.number != Number::bits && field.number != Number::integer;
}

std::size_t scale_count(const Field& field) { return field.number == Number::f16_in_top_nibbles ? 1 : field.count; }

void read_scales(const FormatInfo& format, const Field& field, std::span<const std::byte> blocks,
                 std::vector<float>& scales) {
    scales.resize(blocks.size() / format.block_bytes * scale_count(field));
    switch (field.number) {
        case Number::f16: return read_halves(format, field, blocks, scales.data());
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
