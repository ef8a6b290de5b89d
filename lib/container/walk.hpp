// Passing over values in a file: every length is compared with what remains before it is believed.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/value.hpp>

#include "core/cursor.hpp"

namespace ggufkit::container {

// Visits an array and the arrays in it, however deep, without recursion. The visitor reads the input:
//   bool open(ValueType& element, std::uint64_t& count, std::size_t depth)   an array's element type and count
//   bool elements(ValueType element, std::uint64_t count)                    all elements of an array of no arrays
// False from either ends the walk.
template <class Visitor>
bool walk_array(Visitor& visitor) {
    std::vector<std::uint64_t> pending{1};  // arrays still to be opened, a level each
    while (!pending.empty()) {
        if (pending.back() == 0) {
            pending.pop_back();
            continue;
        }
        --pending.back();
        ValueType element{};
        std::uint64_t count = 0;
        if (!visitor.open(element, count, pending.size())) return false;
        if (element == ValueType::array) {
            pending.push_back(count);
        } else if (!visitor.elements(element, count)) {
            return false;
        }
    }
    return true;
}

// Moves a cursor past values that nobody has looked at yet; error() says why it could not.
class ValueWalk {
  public:
    ValueWalk(Cursor& in, std::uint32_t depth_limit) : in_(in), depth_limit_(depth_limit) {}

    bool skip(ValueType type);
    Error error() { return std::move(*error_); }

    // For walk_array().
    bool open(ValueType& element, std::uint64_t& count, std::size_t depth);
    bool elements(ValueType element, std::uint64_t count);

  private:
    bool refuse(Error error) {
        error_ = std::move(error);
        return false;
    }

    Cursor& in_;
    std::uint32_t depth_limit_;
    std::optional<Error> error_;
};

// The fewest bytes that a value of this type takes.
std::size_t least_size(ValueType type, Encoding encoding) noexcept;

constexpr bool is_value_type(std::uint32_t id) { return id <= static_cast<std::uint32_t>(ValueType::float64); }

// An array's element type and count, for visitors of values that parse() has checked; false where they are not there.
bool read_array_head(Cursor& in, ValueType& element, std::uint64_t& count);

// Reads a string's length and bytes; refuses as ValueWalk does.
Result<std::string_view> read_string(Cursor& in);

}  // namespace ggufkit::container
