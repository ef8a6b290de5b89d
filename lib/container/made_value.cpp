// Values that a program makes: version 3, little-endian.
#include <fmt/format.h>

#include <bit>
#include <ggufkit/value.hpp>

#include "container/encode.hpp"

namespace ggufkit {
namespace {

constexpr Encoding canonical{ByteOrder::little, 3};

// The low `size` bytes of a number.
std::vector<std::byte> low_bytes(std::uint64_t bits, std::size_t size) {
    std::vector<std::byte> bytes;
    append(bytes, bits, canonical.order);
    bytes.resize(size);
    return bytes;
}

std::vector<std::byte> array_head(ValueType element, std::size_t count) {
    std::vector<std::byte> bytes;
    append(bytes, static_cast<std::uint32_t>(element), canonical.order);
    append(bytes, std::uint64_t{count}, canonical.order);
    return bytes;
}

}  // namespace

Value Value::of_unsigned(ValueType type, std::uint64_t value) { return {type, low_bytes(value, fixed_size(type))}; }

Value Value::of_signed(ValueType type, std::int64_t value) {
    return {type, low_bytes(static_cast<std::uint64_t>(value), fixed_size(type))};
}

Value Value::of_float32(float value) { return {ValueType::float32, low_bytes(std::bit_cast<std::uint32_t>(value), 4)}; }
Value Value::of_float64(double value) {
    return {ValueType::float64, low_bytes(std::bit_cast<std::uint64_t>(value), 8)};
}
Value Value::of_bool(bool value) { return {ValueType::boolean, low_bytes(value ? 1 : 0, 1)}; }

Value Value::of_string(std::string_view value) {
    std::vector<std::byte> bytes;
    container::append_string(bytes, value, canonical.order);
    return {ValueType::string, std::move(bytes)};
}

Result<Value> Value::of_array(ValueType element, std::span<const Value> elements) {
    std::vector<std::byte> bytes = array_head(element, elements.size());
    for (const Value& value : elements) {
        if (value.type() != element) {
            return fail({.code = Errc::bad_argument,
                         .detail = fmt::format("a {} in an array of {}", name(value.type()), name(element))});
        }
        bytes.insert(bytes.end(), value.bytes_.begin(), value.bytes_.end());
    }
    return Value(ValueType::array, std::move(bytes));
}

Value Value::of_strings(std::span<const std::string> elements) {
    std::vector<std::byte> bytes = array_head(ValueType::string, elements.size());
    for (const std::string& text : elements) container::append_string(bytes, text, canonical.order);
    return {ValueType::array, std::move(bytes)};
}

Value Value::copy_of(const ValueView& view) {
    std::vector<std::byte> bytes;
    container::append_value(bytes, view, canonical.order);
    return {view.type(), std::move(bytes)};
}

ValueView Value::view() const { return {type_, bytes_, canonical, 0}; }

}  // namespace ggufkit
