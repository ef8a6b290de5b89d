// Text that came out of a file, made safe to show.
#pragma once

#include <string>
#include <string_view>

namespace ggufkit {

// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates, nothing past U+10FFFF).
bool is_utf8(std::string_view text) noexcept;

// The same text with control characters (core/control.hpp) and malformed UTF-8 as \n, \t, \x1b, …: nothing in a file can
// drive a terminal.
std::string printable(std::string_view text);

// The same, but line ends stay, and the last line has one.
std::string printable_lines(std::string_view text);

}  // namespace ggufkit
