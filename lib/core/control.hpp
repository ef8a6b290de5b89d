// Characters that do something rather than show something.
#pragma once

#include <string_view>

namespace ggufkit {

// Of a well-formed UTF-8 character: C0, DEL and C1, which drive terminals; separators of lines and paragraphs; and marks
// that turn the direction of text around, with which a name can be made to look like another.
inline bool is_control(std::string_view character) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(character[i]); };
    switch (character.size()) {
        case 1: return byte(0) < 0x20 || byte(0) == 0x7f;
        case 2: return (byte(0) == 0xc2 && byte(1) < 0xa0) || character == "\u061c";
        case 3:
            return character == "\u200e" || character == "\u200f" || (character >= "\u2028" && character <= "\u202e") ||
                   (character >= "\u2066" && character <= "\u2069");
        default: return false;
    }
}

}  // namespace ggufkit
