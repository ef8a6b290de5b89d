// Text that came out of a file, made safe to show.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace ggufkit {

// Whether `text` is well-formed UTF-8 (no overlong forms, no surrogates, nothing past U+10FFFF).
bool is_utf8(std::string_view text) noexcept;

// The character that `text`, which is not empty, begins with, and the bytes it takes; a stray byte counts as a character.
struct Character {
    char32_t code;
    std::size_t length;
};
Character first_character(std::string_view text) noexcept;

// C0, DEL and C1.
bool is_control(char32_t character) noexcept;

// Whether a character of no width or of direction (bidi marks, embeddings, overrides and isolates; joiners, byte order
// marks, tags; line and paragraph separators) makes text look like what it is not.
bool is_deceptive(char32_t character) noexcept;

// The same text with control characters (C0, DEL, C1) and malformed UTF-8 as \n, \t, \x1b, …, and deceptive characters
// as \u202e, …: nothing in a file can drive a terminal, or hide on it.
std::string printable(std::string_view text);

// The same, but line ends stay, and the last line has one.
std::string printable_lines(std::string_view text);

// A number for people: 5,240,064.
std::string grouped(std::uint64_t number);

}  // namespace ggufkit
