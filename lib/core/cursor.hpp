// A position in bytes that never passes their end: every read says whether there was enough.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <ggufkit/encoding.hpp>

#include "core/bytes.hpp"

namespace ggufkit {

class Cursor {
  public:
    Cursor(std::span<const std::byte> bytes, Encoding encoding, std::size_t at = 0)
        : bytes_(bytes), at_(at), encoding_(encoding) {}

    std::size_t at() const { return at_; }
    std::size_t remaining() const { return bytes_.size() - at_; }
    bool done() const { return at_ == bytes_.size(); }
    Encoding encoding() const { return encoding_; }
    const std::byte* data() const { return bytes_.data() + at_; }

    // False, and nothing moves, where fewer bytes remain.
    bool skip(std::uint64_t count) {
        if (count > remaining()) return false;
        at_ += static_cast<std::size_t>(count);
        return true;
    }

    template <std::unsigned_integral T>
    bool read(T& value) {
        if (remaining() < sizeof(T)) return false;
        value = load<T>(data(), encoding_.order);
        at_ += sizeof(T);
        return true;
    }

    // A count, length or dimension: u32 in version 1, u64 since.
    bool read_length(std::uint64_t& value) {
        if (encoding_.version != 1) return read(value);
        std::uint32_t narrow = 0;
        if (!read(narrow)) return false;
        value = narrow;
        return true;
    }

    bool read_bytes(std::uint64_t count, std::span<const std::byte>& bytes) {
        const std::size_t begin = at_;
        if (!skip(count)) return false;
        bytes = bytes_.subspan(begin, at_ - begin);
        return true;
    }

    bool read_text(std::uint64_t length, std::string_view& text) {
        std::span<const std::byte> bytes;
        if (!read_bytes(length, bytes)) return false;
        text = {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
        return true;
    }

  private:
    std::span<const std::byte> bytes_;
    std::size_t at_;
    Encoding encoding_;
};

}  // namespace ggufkit
