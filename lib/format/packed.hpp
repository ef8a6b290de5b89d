// The members of block structs: numbers of a file, little-endian, at any address.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ggufkit/format.hpp>
#include <type_traits>

#include "core/half.hpp"

namespace ggufkit::format {

// An integer of the file. Compilers turn get() and set() into one load and one store.
template <class T>
struct Little {
    std::uint8_t bytes[sizeof(T)];

    constexpr T get() const noexcept {
        using Bits = std::make_unsigned_t<T>;
        Bits bits = 0;
        for (std::size_t i = 0; i < sizeof(T); ++i) {
            bits = static_cast<Bits>(bits | static_cast<Bits>(Bits{bytes[i]} << (8 * i)));
        }
        return static_cast<T>(bits);
    }
    constexpr void set(T value) noexcept {
        const auto bits = static_cast<std::make_unsigned_t<T>>(value);
        for (std::size_t i = 0; i < sizeof(T); ++i) bytes[i] = static_cast<std::uint8_t>(bits >> (8 * i));
    }
};

// IEEE binary16.
struct Half {
    Little<std::uint16_t> bits;
    constexpr float get() const noexcept { return lone_half_to_float(bits.get()); }
    constexpr void set(float value) noexcept { bits.set(float_to_half(value)); }
};

// The upper half of a binary32.
struct Bfloat {
    Little<std::uint16_t> bits;
    constexpr float get() const noexcept { return bfloat_to_float(bits.get()); }
    constexpr void set(float value) noexcept { bits.set(float_to_bfloat(value)); }
};

struct Single {
    Little<std::uint32_t> bits;
    constexpr float get() const noexcept { return std::bit_cast<float>(bits.get()); }
    constexpr void set(float value) noexcept { bits.set(std::bit_cast<std::uint32_t>(value)); }
};

struct Double {
    Little<std::uint64_t> bits;
    constexpr double get() const noexcept { return std::bit_cast<double>(bits.get()); }
    constexpr void set(double value) noexcept { bits.set(std::bit_cast<std::uint64_t>(value)); }
};

// Every block struct has a type and a number of elements, is exactly `bytes` long, and may lie anywhere in a mapped
// file.
template <class Block, std::size_t bytes>
concept PackedBlock =
    sizeof(Block) == bytes && alignof(Block) == 1 && std::is_trivial_v<Block> && std::is_standard_layout_v<Block> &&
    std::same_as<decltype(Block::type), const TensorType> && Block::elements > 0;

}  // namespace ggufkit::format
