#include "core/text.hpp"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

namespace ggufkit {
namespace {

constexpr std::uint8_t byte_at(std::string_view text, std::size_t at) { return static_cast<std::uint8_t>(text[at]); }

constexpr bool is_continuation(std::uint8_t byte) { return (byte & 0xc0) == 0x80; }

// Bytes of the well-formed character at `at`, or 0. The first byte fixes the length; the second one's range rules out
// overlong forms, surrogates and what lies past U+10FFFF (Unicode 15, table 3-7).
std::size_t character_length(std::string_view text, std::size_t at) {
    const std::uint8_t lead = byte_at(text, at);
    if (lead < 0x80) return 1;
    const std::size_t length = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : 2;
    if (lead < 0xc2 || lead > 0xf4 || text.size() - at < length) return 0;

    const std::uint8_t second = byte_at(text, at + 1);
    const std::uint8_t lowest = lead == 0xe0 ? 0xa0 : lead == 0xf0 ? 0x90 : 0x80;
    const std::uint8_t highest = lead == 0xed ? 0x9f : lead == 0xf4 ? 0x8f : 0xbf;
    if (second < lowest || second > highest) return 0;
    for (std::size_t i = 2; i < length; ++i) {
        if (!is_continuation(byte_at(text, at + i))) return 0;
    }
    return length;
}

// How many bytes from `at` on are ASCII, looked at eight at a time.
std::size_t ascii_run(std::string_view text, std::size_t at) {
    const std::size_t begin = at;
    for (; text.size() - at >= 8; at += 8) {
        std::uint64_t eight;
        std::memcpy(&eight, text.data() + at, 8);
        const std::uint64_t others = eight & 0x8080808080808080u;
        if (others == 0) continue;
        const int bits =
            std::endian::native == std::endian::little ? std::countr_zero(others) : std::countl_zero(others);
        return at + static_cast<std::size_t>(bits) / 8 - begin;
    }
    while (at < text.size() && byte_at(text, at) < 0x80) ++at;
    return at - begin;
}

void append_escape(std::string& out, std::uint8_t byte) {
    constexpr std::string_view digits = "0123456789abcdef";
    switch (byte) {
        case '\n': out += "\\n"; return;
        case '\r': out += "\\r"; return;
        case '\t': out += "\\t"; return;
        default: out += {'\\', 'x', digits[byte >> 4], digits[byte & 15]}; return;
    }
}

// \u202e, \U000e0041.
void append_escape(std::string& out, char32_t code) {
    constexpr std::string_view digits = "0123456789abcdef";
    const bool is_long = code > 0xffff;
    out += is_long ? "\\U" : "\\u";
    for (int shift = is_long ? 28 : 12; shift >= 0; shift -= 4) out += digits[code >> shift & 15];
}

struct CodeRange {
    char32_t first, last;
};
constexpr CodeRange deceptive[] = {
    {0x00ad, 0x00ad},    // soft hyphen
    {0x061c, 0x061c},    // Arabic letter mark
    {0x115f, 0x1160},    // Hangul fillers
    {0x180b, 0x180f},    // Mongolian separators
    {0x200b, 0x200f},    // zero width; left-to-right and right-to-left marks
    {0x2028, 0x202e},    // line and paragraph separators; bidi embeddings and overrides
    {0x2060, 0x206f},    // word joiner, invisible operators, bidi isolates
    {0x3164, 0x3164},    // another filler
    {0xfeff, 0xfeff},    // byte order mark
    {0xffa0, 0xffa0},    // and another
    {0xfff9, 0xfffb},    // interlinear annotation
    {0xe0000, 0xe007f},  // tags: ASCII that nobody sees
};

}  // namespace

Character first_character(std::string_view text) noexcept {
    const char32_t lead = byte_at(text, 0);
    const std::size_t length = lead < 0xc0 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
    if (length == 1 || text.size() < length) return {lead, 1};
    char32_t code = lead & (0x7fu >> length);
    for (std::size_t i = 1; i < length; ++i) code = code << 6 | (byte_at(text, i) & 0x3fu);
    return {code, length};
}

// Terminals obey C1 as well.
bool is_control(char32_t character) noexcept { return character < 0x20 || (character >= 0x7f && character < 0xa0); }

bool is_deceptive(char32_t character) noexcept {
    return std::ranges::any_of(
        deceptive, [=](const CodeRange& range) { return range.first <= character && character <= range.last; });
}

bool is_utf8(std::string_view text) noexcept {
    for (std::size_t at = ascii_run(text, 0); at < text.size(); at += ascii_run(text, at)) {
        const std::size_t length = character_length(text, at);
        if (length == 0) return false;
        at += length;
    }
    return true;
}

std::string printable(std::string_view text) {
    std::string out;
    out.reserve(text.size());
    for (std::size_t at = 0; at < text.size();) {
        const std::size_t length = character_length(text, at);
        const std::string_view character = text.substr(at, length == 0 ? 1 : length);
        const char32_t code = length == 0 ? 0 : first_character(character).code;
        if (length == 0 || is_control(code)) {
            for (const char byte : character) append_escape(out, static_cast<std::uint8_t>(byte));
        } else if (code >= 0x80 && is_deceptive(code)) {
            append_escape(out, code);
        } else {
            out += character;
        }
        at += character.size();
    }
    return out;
}

std::string printable_lines(std::string_view text) {
    std::string lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines += printable(text.substr(0, end)) + "\n";
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

std::string grouped(std::uint64_t number) {
    std::string digits = std::to_string(number);
    for (std::size_t at = digits.size(); at > 3;) digits.insert(at -= 3, 1, ',');
    return digits;
}

}  // namespace ggufkit
