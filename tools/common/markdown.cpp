#include "common/markdown.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/text.hpp"

namespace ggufkit::tool {

namespace {

bool is_word(char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c & 0x80) != 0;
}

// Within a word an underscore is nothing but itself: attn_q.
bool within_word(std::string_view text, std::size_t at) {
    return at > 0 && at + 1 < text.size() && is_word(text[at - 1]) && is_word(text[at + 1]);
}

// Only at the beginning of a line do these make a list or a heading.
bool begins_block(char c, std::size_t at) { return at == 0 && (c == '+' || c == '-' || c == '='); }

}  // namespace

std::string markdown_text(std::string_view line) {
    constexpr std::string_view special = "\\`*[]<>#|~!&$";
    const std::string text = printable(line);
    std::string escaped;
    for (std::size_t at = 0; at < text.size(); ++at) {
        const char c = text[at];
        const bool acts =
            special.find(c) != special.npos || (c == '_' && !within_word(text, at)) || begins_block(c, at);
        if (acts) escaped += '\\';
        escaped += c;
    }
    return escaped;
}

std::string markdown_block(std::string_view lines) {
    std::size_t longest = 2, run = 0;
    for (const char c : lines) {
        run = c == '`' ? run + 1 : 0;
        longest = std::max(longest, run);
    }
    return fmt::format("{0}\n{1}{0}\n", std::string(longest + 1, '`'), printable_lines(lines));
}

}  // namespace ggufkit::tool
