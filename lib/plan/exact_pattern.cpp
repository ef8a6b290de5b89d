#include "plan/exact_pattern.hpp"

#include <fmt/format.h>

#include <charconv>

namespace ggufkit::plan {

std::string exact_pattern(std::string_view tensor) {
    std::string pattern = "^";
    for (const char c : tensor) {
        const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-';
        if (plain) {
            pattern += c;
        } else if (c == '.') {
            pattern += "\\.";
        } else {
            pattern += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
        }
    }
    return pattern + "$";
}

std::optional<std::string> exact_name(std::string_view pattern) {
    if (!pattern.starts_with('^') || !pattern.ends_with('$') || pattern.size() < 2) return std::nullopt;
    std::string name;
    for (std::string_view rest = pattern.substr(1, pattern.size() - 2); !rest.empty();) {
        std::size_t taken = 1;
        char c = rest.front();
        if (rest.starts_with("\\.")) {
            c = '.', taken = 2;
        } else if (rest.starts_with("\\x") && rest.size() >= 4) {
            unsigned char code = 0;
            std::from_chars(rest.data() + 2, rest.data() + 4, code, 16);
            c = static_cast<char>(code), taken = 4;
        }
        name += c;
        rest.remove_prefix(taken);
    }
    return exact_pattern(name) == pattern ? std::optional(name) : std::nullopt;
}

}  // namespace ggufkit::plan
