#include <fmt/format.h>

#include <array>
#include <bit>
#include <ggufkit/value.hpp>
#include <limits>
#include <optional>

#include "container/encode.hpp"
#include "container/rules.hpp"
#include "container/walk.hpp"
#include "core/cursor.hpp"

namespace ggufkit {
namespace {

struct TypeRow {
    std::string_view name;
    std::uint8_t size;
};
constexpr std::array<TypeRow, 13> types{{{"u8", 1},
                                         {"i8", 1},
                                         {"u16", 2},
                                         {"i16", 2},
                                         {"u32", 4},
                                         {"i32", 4},
                                         {"f32", 4},
                                         {"bool", 1},
                                         {"str", 0},
                                         {"arr", 0},
                                         {"u64", 8},
                                         {"i64", 8},
                                         {"f64", 8}}};

const TypeRow& row(ValueType type) { return types[static_cast<std::size_t>(type)]; }

// The bits of a number, in the low end.
std::uint64_t load_bits(std::span<const std::byte> bytes, ByteOrder order) {
    switch (bytes.size()) {
        case 1: return load<std::uint8_t>(bytes.data(), order);
        case 2: return load<std::uint16_t>(bytes.data(), order);
        case 4: return load<std::uint32_t>(bytes.data(), order);
        case 8: return load<std::uint64_t>(bytes.data(), order);
        default: return 0;
    }
}

// An integer of any type: its value modulo 2^64, and whether it is below zero.
struct Integer {
    std::uint64_t bits;
    bool negative;
};

std::optional<Integer> to_integer(const ValueView& value) {
    const std::uint64_t bits = load_bits(value.bytes(), value.encoding().order);
    const auto extended = [](auto narrow) {
        const auto wide = static_cast<std::int64_t>(narrow);
        return Integer{static_cast<std::uint64_t>(wide), wide < 0};
    };
    switch (value.type()) {
        case ValueType::uint8:
        case ValueType::uint16:
        case ValueType::uint32:
        case ValueType::uint64: return Integer{bits, false};
        case ValueType::int8: return extended(static_cast<std::int8_t>(bits));
        case ValueType::int16: return extended(static_cast<std::int16_t>(bits));
        case ValueType::int32: return extended(static_cast<std::int32_t>(bits));
        case ValueType::int64: return extended(static_cast<std::int64_t>(bits));
        default: return std::nullopt;
    }
}

tl::unexpected<Error> wrong_type(const ValueView& value, std::string_view wanted) {
    return fail({.code = Errc::wrong_type,
                 .offset = value.offset(),
                 .detail = fmt::format("is {} where {} is wanted", name(value.type()), wanted)});
}

tl::unexpected<Error> out_of_range(const ValueView& value, Integer integer, std::string_view wanted) {
    const std::string number =
        integer.negative ? fmt::to_string(static_cast<std::int64_t>(integer.bits)) : fmt::to_string(integer.bits);
    return fail({.code = Errc::out_of_range,
                 .offset = value.offset(),
                 .detail = fmt::format("is {}, which is no {}", number, wanted)});
}

}  // namespace

std::string_view name(ValueType type) noexcept { return row(type).name; }
std::size_t fixed_size(ValueType type) noexcept { return row(type).size; }

Result<std::uint64_t> ValueView::as_unsigned() const {
    const auto integer = to_integer(*this);
    if (!integer) return wrong_type(*this, "an integer");
    if (integer->negative) return out_of_range(*this, *integer, "unsigned number");
    return integer->bits;
}

Result<std::int64_t> ValueView::as_signed() const {
    const auto integer = to_integer(*this);
    if (!integer) return wrong_type(*this, "an integer");
    const auto value = static_cast<std::int64_t>(integer->bits);
    if (!integer->negative && value < 0) return out_of_range(*this, *integer, "signed 64-bit number");
    return value;
}

Result<double> ValueView::as_float() const {
    const std::uint64_t bits = load_bits(bytes_, encoding_.order);
    if (type_ == ValueType::float32) return std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (type_ == ValueType::float64) return std::bit_cast<double>(bits);
    const auto integer = to_integer(*this);
    if (!integer) return wrong_type(*this, "a number");
    return integer->negative ? static_cast<double>(static_cast<std::int64_t>(integer->bits))
                             : static_cast<double>(integer->bits);
}

Result<bool> ValueView::as_bool() const {
    if (type_ != ValueType::boolean) return wrong_type(*this, "a bool");
    const std::uint64_t bits = load_bits(bytes_, encoding_.order);
    if (bits > 1) return fail(container::breach(container::R::bool_value, offset_, {}, fmt::format("is {}", bits)));
    return bits == 1;
}

Result<std::string_view> ValueView::as_string() const {
    if (type_ != ValueType::string) return wrong_type(*this, "a string");
    Cursor in(bytes_, encoding_);
    return container::read_string(in);
}

Result<ArrayView> ValueView::as_array() const {
    if (type_ != ValueType::array) return wrong_type(*this, "an array");
    Cursor in(bytes_, encoding_);
    ValueType element{};
    std::uint64_t count = 0;
    container::ValueWalk walk(in, 1);
    if (!walk.open(element, count, 1)) return fail(walk.error());
    return ArrayView(element, count, bytes_.subspan(in.at()), encoding_, offset_ + in.at());
}

bool operator==(const ValueView& a, const ValueView& b) {
    if (a.type() != b.type()) return false;
    if (a.encoding_ == b.encoding_) return std::ranges::equal(a.bytes_, b.bytes_);
    std::vector<std::byte> left, right;
    container::append_value(left, a, ByteOrder::little);
    container::append_value(right, b, ByteOrder::little);
    return left == right;
}

// ---------------------------------------------------------------- arrays

namespace {

constexpr std::uint32_t any_depth = std::numeric_limits<std::uint32_t>::max();  // parse() has applied its limit

std::optional<std::size_t> element_size(ValueType type, std::span<const std::byte> bytes, Encoding encoding,
                                        std::size_t at) {
    Cursor in(bytes, encoding, at);
    if (!container::ValueWalk(in, any_depth).skip(type)) return std::nullopt;
    return in.at() - at;
}

}  // namespace

ArrayView::iterator ArrayView::begin() const {
    iterator first;
    first.array_ = this;
    first.settle();
    return first;
}

ArrayView::iterator ArrayView::end() const {
    iterator last;
    last.array_ = this;
    last.index_ = count_;
    return last;
}

// Measures the current element. There is one less than promised only in a view that parse() did not make; end there.
void ArrayView::iterator::settle() {
    if (index_ == array_->count_) return;
    if (const auto size = element_size(array_->element_, array_->bytes_, array_->encoding_, at_)) {
        size_ = *size;
    } else {
        index_ = array_->count_;
    }
}

ValueView ArrayView::iterator::operator*() const {
    return {array_->element_, array_->bytes_.subspan(at_, size_), array_->encoding_, array_->offset_ + at_};
}

ArrayView::iterator& ArrayView::iterator::operator++() {
    ++index_;
    at_ += size_;
    settle();
    return *this;
}

ArrayView::iterator ArrayView::iterator::operator++(int) {
    iterator before = *this;
    ++*this;
    return before;
}

Result<ValueView> ArrayView::at(std::uint64_t index) const {
    const std::size_t size = fixed_size(element_);
    if (index < count_ && size == 0) {
        auto element = begin();
        for (std::uint64_t before = index; before != 0 && element != end(); --before) ++element;
        if (element != end()) return *element;
    } else if (index < count_ && index < bytes_.size() / size) {
        const std::size_t at = static_cast<std::size_t>(index) * size;
        return ValueView(element_, bytes_.subspan(at, size), encoding_, offset_ + at);
    }
    return fail({.code = Errc::out_of_range,
                 .offset = offset_,
                 .detail = fmt::format("no element {} in an array of {}", index, count_)});
}

}  // namespace ggufkit
