// Numbers that people write.
#pragma once

#include <charconv>
#include <optional>
#include <string_view>
#include <system_error>

namespace ggufkit {

// All of `text` as a number; nothing if it is anything else, or out of range.
template <class Number>
std::optional<Number> read_number(std::string_view text) {
    Number number{};
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() ? std::optional(number) : std::nullopt;
}

}  // namespace ggufkit
