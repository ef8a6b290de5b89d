// What the reference decodes random_blocks() to, as hashes. tests/reference/dequant_test.cpp holds them to the
// reference; tests/quant/dequant_test.cpp holds the library to them where the reference is not installed.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <ggufkit/format.hpp>
#include <span>

namespace ggufkit::test {

struct Golden {
    TensorType type;
    std::uint64_t hash;  // XXH3-64 of the floats, little-endian
};

// Of golden_blocks blocks with the type's id as seed.
inline constexpr std::size_t golden_blocks = 64;
std::span<const Golden> dequantize_goldens();

std::uint64_t hash_of(std::span<const std::byte> bytes);

}  // namespace ggufkit::test
