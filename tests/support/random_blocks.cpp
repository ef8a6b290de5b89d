#include "support/random_blocks.hpp"

namespace ggufkit::test {
namespace {

// The byte of a number that holds its exponent's top bits, and a bit to clear in it: what is left is finite.
void make_finite(const Field& field, std::byte* number) {
    switch (field.number) {
        case Number::f16:
        case Number::bf16:
        case Number::f32:
        case Number::f64:
            if (const std::byte top = number[field.width - 1]; (top & std::byte{0x7c}) == std::byte{0x7c}) {
                number[field.width - 1] = top & std::byte{0xfb};
            }
            break;
        case Number::e8m0:
            if (*number == std::byte{0xff}) *number = std::byte{0xfe};
            break;
        default: break;
    }
}

}  // namespace

std::vector<std::byte> random_blocks(const FormatInfo& format, std::size_t n, std::uint64_t seed) {
    Random random(seed);
    std::vector<std::byte> blocks(n * format.block_bytes);
    for (std::byte& byte : blocks) byte = static_cast<std::byte>(random.bits() >> 56);
    for (std::size_t i = 0; i < n; ++i) {
        std::byte* const block = blocks.data() + i * format.block_bytes;
        for (const Field& field : format.fields) {
            for (std::size_t k = 0; k < field.count; ++k) make_finite(field, block + field.offset + k * field.stride);
            if (field.number == Number::f16_in_top_nibbles) block[field.offset + 7] &= std::byte{0xbf};
        }
    }
    return blocks;
}

}  // namespace ggufkit::test
