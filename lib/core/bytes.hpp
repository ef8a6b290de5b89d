// Numbers in memory that a file laid down: no alignment is assumed and no pointer is cast to a wider type.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include <ggufkit/encoding.hpp>

namespace ggufkit {

inline constexpr ByteOrder native_order =
    std::endian::native == std::endian::little ? ByteOrder::little : ByteOrder::big;

template <std::unsigned_integral T>
constexpr T swap_bytes(T value) noexcept {
    if constexpr (sizeof(T) == 2) return __builtin_bswap16(value);
    if constexpr (sizeof(T) == 4) return __builtin_bswap32(value);
    if constexpr (sizeof(T) == 8) return __builtin_bswap64(value);
    return value;
}

template <std::unsigned_integral T>
T load(const std::byte* from, ByteOrder order) noexcept {
    T value;
    std::memcpy(&value, from, sizeof value);
    return order == native_order ? value : swap_bytes(value);
}

template <std::unsigned_integral T>
void append(std::vector<std::byte>& to, T value, ByteOrder order) {
    if (order != native_order) value = swap_bytes(value);
    const std::size_t at = to.size();
    to.resize(at + sizeof value);
    std::memcpy(to.data() + at, &value, sizeof value);
}

}  // namespace ggufkit
