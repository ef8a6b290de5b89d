// Metadata values, read where they lie and built from nothing.
//
// Purpose: ValueView and ArrayView look at a value inside the bytes of a file without copying strings or arrays;
//   Value owns the bytes of a value that a program makes.
//
//     const ggufkit::KeyValue* entry = model.header().find_key("tokenizer.ggml.tokens");
//     const auto tokens = entry->value.as_array();
//     if (!tokens) return complain(tokens.error());
//     for (const ggufkit::ValueView token : *tokens) fmt::print("{}\n", *token.as_string());
//     const ggufkit::Value name = ggufkit::Value::of_string("mine");  // for a Header
//
// Ownership: a view borrows the bytes that were parsed (or those of its Value) and must not outlive them.
// Thread-safety: views are immutable; a Value is a plain value.
// Source: spec/gguf.md, section "Values".
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <ggufkit/encoding.hpp>
#include <ggufkit/error.hpp>

namespace ggufkit {

enum class ValueType : std::uint32_t {
    uint8 = 0,
    int8 = 1,
    uint16 = 2,
    int16 = 3,
    uint32 = 4,
    int32 = 5,
    float32 = 6,
    boolean = 7,
    string = 8,
    array = 9,
    uint64 = 10,
    int64 = 11,
    float64 = 12,
};

// "u8", "i8", "u16", …, "f32", "bool", "str", "arr": the names that --json uses.
std::string_view name(ValueType type) noexcept;

// Bytes of a number or bool of that type; 0 for strings and arrays, whose size varies.
std::size_t fixed_size(ValueType type) noexcept;

class ArrayView;

// One value. Numeric getters take any integer type whose value fits and return WRONG_TYPE or OUT_OF_RANGE otherwise;
// the error names the offset, and the caller that knows the key adds it.
class ValueView {
  public:
    ValueView() = default;
    // `bytes` holds exactly the value (for strings and arrays with their length prefix), already checked by parse().
    ValueView(ValueType type, std::span<const std::byte> bytes, Encoding encoding, std::uint64_t offset)
        : bytes_(bytes), offset_(offset), type_(type), encoding_(encoding) {}

    ValueType type() const { return type_; }
    std::span<const std::byte> bytes() const { return bytes_; }
    std::uint64_t offset() const { return offset_; }  // of the value in the file
    Encoding encoding() const { return encoding_; }

    Result<std::uint64_t> as_unsigned() const;  // any integer type, not negative
    Result<std::int64_t> as_signed() const;     // any integer type that fits
    Result<double> as_float() const;            // float32, float64, or an integer
    Result<bool> as_bool() const;               // BAD_BOOL if the byte is neither 0 nor 1
    Result<std::string_view> as_string() const;
    Result<ArrayView> as_array() const;

    // Equal types and equal values, whatever the encodings; floats are compared by their bits.
    friend bool operator==(const ValueView& a, const ValueView& b);

  private:
    std::span<const std::byte> bytes_;
    std::uint64_t offset_ = 0;
    ValueType type_ = ValueType::uint8;
    Encoding encoding_;
};

// The elements of an array, walked forwards; O(1) random access where elements have a fixed size, O(n) for strings and
// arrays.
class ArrayView {
  public:
    class iterator {
      public:
        using iterator_category = std::forward_iterator_tag;
        using value_type = ValueView;
        using difference_type = std::ptrdiff_t;
        using pointer = void;
        using reference = ValueView;

        iterator() = default;
        ValueView operator*() const;
        iterator& operator++();
        iterator operator++(int);
        friend bool operator==(const iterator& a, const iterator& b) { return a.index_ == b.index_; }

      private:
        friend class ArrayView;
        void settle();
        const ArrayView* array_ = nullptr;
        std::uint64_t index_ = 0;
        std::size_t at_ = 0;    // of the current element in array_->bytes_
        std::size_t size_ = 0;  // of the current element
    };

    ArrayView() = default;
    ArrayView(ValueType element, std::uint64_t count, std::span<const std::byte> bytes, Encoding encoding,
              std::uint64_t offset)
        : bytes_(bytes), count_(count), offset_(offset), element_(element), encoding_(encoding) {}

    ValueType element_type() const { return element_; }
    std::uint64_t size() const { return count_; }
    bool empty() const { return count_ == 0; }
    std::span<const std::byte> bytes() const { return bytes_; }  // the elements, without the array's own type and count
    iterator begin() const;
    iterator end() const;
    Result<ValueView> at(std::uint64_t index) const;

  private:
    std::span<const std::byte> bytes_;
    std::uint64_t count_ = 0;
    std::uint64_t offset_ = 0;
    ValueType element_ = ValueType::uint8;
    Encoding encoding_;
};

// A value that a program made; its bytes are kept as version 3, little-endian.
class Value {
  public:
    static Value of_unsigned(ValueType type, std::uint64_t value);  // uint8 … uint64; keeps the low bytes
    static Value of_signed(ValueType type, std::int64_t value);     // int8 … int64; keeps the low bytes
    static Value of_float32(float value);
    static Value of_float64(double value);
    static Value of_bool(bool value);
    static Value of_string(std::string_view value);
    // Every element must have type `element`; BAD_ARGUMENT otherwise. Nested arrays are elements of type array.
    static Result<Value> of_array(ValueType element, std::span<const Value> elements);
    static Value of_strings(std::span<const std::string> elements);
    static Value copy_of(const ValueView& view);

    ValueType type() const { return type_; }
    ValueView view() const;

  private:
    Value(ValueType type, std::vector<std::byte> bytes) : type_(type), bytes_(std::move(bytes)) {}

    ValueType type_;
    std::vector<std::byte> bytes_;
};

}  // namespace ggufkit
