// GGUF files laid down by hand, independent of the library's reader and writer. Nothing is checked, so a test can lie
// about any count, length, type or offset; every record says where its fields went, so a test can name the place of a
// fault. For models that are as they should be, small_model.hpp takes less work.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <ggufkit/format.hpp>
#include <ggufkit/value.hpp>
#include <initializer_list>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace ggufkit::test {

inline constexpr Encoding little_v3{ByteOrder::little, 3};
inline constexpr Encoding big_v3{ByteOrder::big, 3};
inline constexpr std::array all_encodings{
    Encoding{ByteOrder::little, 1}, Encoding{ByteOrder::little, 2}, little_v3,
    Encoding{ByteOrder::big, 1},    Encoding{ByteOrder::big, 2},    big_v3,
};

template <class T>
consteval ValueType value_type_of() {
    if constexpr (std::same_as<T, bool>) return ValueType::boolean;
    if constexpr (std::same_as<T, std::uint8_t>) return ValueType::uint8;
    if constexpr (std::same_as<T, std::int8_t>) return ValueType::int8;
    if constexpr (std::same_as<T, std::uint16_t>) return ValueType::uint16;
    if constexpr (std::same_as<T, std::int16_t>) return ValueType::int16;
    if constexpr (std::same_as<T, std::uint32_t>) return ValueType::uint32;
    if constexpr (std::same_as<T, std::int32_t>) return ValueType::int32;
    if constexpr (std::same_as<T, std::uint64_t>) return ValueType::uint64;
    if constexpr (std::same_as<T, std::int64_t>) return ValueType::int64;
    if constexpr (std::same_as<T, float>) return ValueType::float32;
    if constexpr (std::same_as<T, double>) return ValueType::float64;
}

// Where the fields of a record begin.
struct KeyPlace {
    std::uint64_t key, type, value;
};
struct ArrayPlace {
    std::uint64_t type, count, elements;
};
struct TensorPlace {
    std::uint64_t record, n_dims, ne, type, offset;  // a record begins with its name
};

struct TensorRecord {
    std::string_view name = "t";
    std::vector<std::uint64_t> ne{};
    TensorType type = TensorType::F32;
    std::uint64_t offset = 0;
    std::optional<std::uint32_t> n_dims{};       // where it is not ne.size()
    std::optional<std::uint64_t> name_length{};  // where it is not name.size()
};

class Bytes {
  public:
    explicit Bytes(Encoding encoding) : encoding_(encoding) {}

    // Starts with magic, version and the two counts.
    Bytes(Encoding encoding, std::uint64_t tensors, std::uint64_t keys);

    Encoding encoding() const { return encoding_; }
    std::uint64_t size() const { return bytes_.size(); }
    operator std::span<const std::byte>() const { return bytes_; }

    template <class T>
        requires std::is_arithmetic_v<T>
    Bytes& number(T value) {
        return native(std::as_bytes(std::span(&value, 1)));
    }
    Bytes& u8(std::uint8_t value) { return number(value); }
    Bytes& u32(std::uint32_t value) { return number(value); }
    Bytes& u64(std::uint64_t value) { return number(value); }

    // A count, length or dimension: 4 bytes in version 1, 8 later.
    Bytes& length(std::uint64_t value);

    Bytes& raw(std::string_view text);
    Bytes& string(std::string_view text) { return length(text.size()).raw(text); }
    Bytes& fill(std::uint64_t count, std::uint8_t byte = 0);
    Bytes& pad(std::uint64_t alignment = 32) { return fill((alignment - size() % alignment) % alignment); }

    // A key and the type of its value, which the caller lays down next.
    KeyPlace key(std::string_view key, ValueType type);

    template <class T>
        requires std::is_arithmetic_v<T>
    KeyPlace entry(std::string_view key, T value) {
        const KeyPlace place = this->key(key, value_type_of<T>());
        number(value);
        return place;
    }
    KeyPlace entry(std::string_view key, std::string_view value);

    // The head of an array, whose elements the caller lays down next.
    ArrayPlace array(ValueType element, std::uint64_t count);

    TensorPlace tensor(const TensorRecord& record);

    Bytes& set(std::uint64_t at, std::uint8_t byte);
    Bytes& flip(std::uint64_t at, unsigned bit);
    Bytes& cut(std::uint64_t size);

  private:
    // A number's bytes in the order of this machine.
    Bytes& native(std::span<const std::byte> number);

    Encoding encoding_;
    std::vector<std::byte> bytes_;
};

// A file that has tensors and, unless it is the default, an alignment; `data_bytes` zeros follow the padded header.
struct TensorFile {
    Bytes bytes;
    std::vector<TensorPlace> at{};
    std::uint64_t data = 0;  // where the data section begins

    TensorFile(Encoding encoding, std::initializer_list<TensorRecord> records, std::uint64_t data_bytes,
               std::uint32_t alignment = 32);
    operator std::span<const std::byte>() const { return bytes; }
};

}  // namespace ggufkit::test
