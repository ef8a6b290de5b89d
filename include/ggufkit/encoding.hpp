// How a file lays down its numbers: their byte order, and the width of lengths.
//
//     const ggufkit::Encoding encoding = model.header().encoding();
//     if (encoding.order == ggufkit::ByteOrder::big) swap(block);
//     const std::size_t width = encoding.length_size();   // 8 bytes from version 2 on
//
// Ownership, thread-safety: plain values.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ggufkit {

enum class ByteOrder : std::uint8_t { little, big };

struct Encoding {
    ByteOrder order = ByteOrder::little;
    std::uint8_t version = 3;  // 1: counts, lengths and dimensions are u32; 2 and 3: u64

    constexpr std::size_t length_size() const { return version == 1 ? 4 : 8; }
    friend bool operator==(const Encoding&, const Encoding&) = default;
};

}  // namespace ggufkit
