#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ggufkit/inspect/manifest.hpp>
#include <utility>

#include "core/ascii.hpp"
#include "core/text.hpp"

namespace ggufkit {

namespace {

struct Kind {
    HashKind kind;
    std::string_view name;
    std::size_t digits;
};
constexpr std::array kinds{Kind{HashKind::xxh128, "xxh128", 32}, Kind{HashKind::xxh64, "xxh64", 16},
                           Kind{HashKind::sha1, "sha1", 40}, Kind{HashKind::sha256, "sha256", 64}};

bool is_hex(std::string_view text) {
    return std::ranges::all_of(text, [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); });
}

// Takes the first word off a line, and the blanks behind it.
std::string_view take_word(std::string_view& line) {
    const std::size_t end = std::min(line.find_first_of(" \t"), line.size());
    const std::string_view word = line.substr(0, end);
    line.remove_prefix(std::min(line.find_first_not_of(" \t", end), line.size()));
    return word;
}

// "model.gguf:blk.0.attn_q.weight": file and tensor. The tensor is empty where there is no such colon.
std::pair<std::string_view, std::string_view> split_name(std::string_view name) {
    constexpr std::string_view suffix = ".gguf:";
    const std::size_t at = name.find(suffix);
    const std::size_t colon = at == name.npos ? name.rfind(':') : at + suffix.size() - 1;
    if (colon == name.npos) return {name, {}};
    return {name.substr(0, colon), name.substr(colon + 1)};
}

// A name with control characters as sha256sum writes one: after a backslash at the beginning of the line, with \n, \r and
// \\ in it; and, which sha256sum does not know, \x1b.
bool needs_escape(std::string_view name) {
    while (!name.empty()) {
        const auto [code, length] = first_character(name);
        if (is_control(code)) return true;
        name.remove_prefix(length);
    }
    return false;
}

std::string escaped(std::string_view name) {
    std::string text;
    while (!name.empty()) {
        const auto [code, length] = first_character(name);
        const std::string_view character = name.substr(0, length);
        name.remove_prefix(length);
        if (code == '\\') {
            text += "\\\\";
        } else if (code == '\n' || code == '\r') {
            text += code == '\n' ? "\\n" : "\\r";
        } else if (is_control(code)) {
            for (const char byte : character) text += fmt::format("\\x{:02x}", static_cast<unsigned char>(byte));
        } else {
            text += character;
        }
    }
    return text;
}

// Nothing where it is not so written.
std::optional<std::string> unescaped(std::string_view text) {
    std::string name;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\\'), text.size());
        name += text.substr(0, end);
        text.remove_prefix(end);
        if (text.empty()) break;
        if (text.size() < 2) return std::nullopt;
        const char kind = text[1];
        text.remove_prefix(2);
        if (kind == '\\' || kind == 'n' || kind == 'r') {
            name += kind == '\\' ? '\\' : kind == 'n' ? '\n' : '\r';
            continue;
        }
        unsigned byte = 0;
        const char* const digits = text.data();
        if (kind != 'x' || text.size() < 2 || !is_hex(text.substr(0, 2))) return std::nullopt;
        std::from_chars(digits, digits + 2, byte, 16);
        name += static_cast<char>(byte);
        text.remove_prefix(2);
    }
    return name;
}

// "sha256  HEX  FILE:TENSOR", "sha256  HEX  FILE" or "HEX  FILE".
std::optional<HashLine> parse_line(std::string_view line, bool escapes = false) {
    if (!escapes && line.starts_with('\\')) return parse_line(line.substr(1), true);
    const std::string first = lower_case(take_word(line));
    if (const auto named = std::ranges::find(kinds, first, &Kind::name); named != kinds.end()) {
        const std::string hex = lower_case(take_word(line));
        if (hex.size() != named->digits || !is_hex(hex) || line.empty()) return std::nullopt;
        const auto whole = escapes ? unescaped(line) : std::string(line);
        if (!whole) return std::nullopt;
        const auto [file, tensor] = split_name(*whole);
        return HashLine{.kind = named->kind,
                        .of = tensor.empty() ? HashLine::Of::data : HashLine::Of::tensor,
                        .hex = hex,
                        .file = std::string(file),
                        .tensor = std::string(tensor)};
    }
    const auto kind = std::ranges::find(kinds, first.size(), &Kind::digits);
    if (kind == kinds.end() || !is_hex(first) || line.empty()) return std::nullopt;
    if (line.front() == '*') line.remove_prefix(1);  // sha256sum's mark for binary files
    const auto file = escapes ? unescaped(line) : std::string(line);
    if (!file) return std::nullopt;
    return HashLine{.kind = kind->kind, .of = HashLine::Of::file, .hex = first, .file = *file, .tensor = {}};
}

}  // namespace

std::string_view name(HashKind kind) noexcept { return std::ranges::find(kinds, kind, &Kind::kind)->name; }

std::optional<HashKind> find_hash_kind(std::string_view name) noexcept {
    const auto* const found = std::ranges::find(kinds, name, &Kind::name);
    return found == kinds.end() ? std::nullopt : std::optional(found->kind);
}

std::string Manifest::text() const {
    std::string text;
    for (const HashLine& line : lines) {
        std::string what = line.of == HashLine::Of::tensor ? line.file + ":" + line.tensor : line.file;
        if (needs_escape(what)) {
            text += '\\';
            what = escaped(what);
        }
        if (line.of != HashLine::Of::file) text += fmt::format("{:<8}  ", name(line.kind));
        text += fmt::format("{}  {}\n", line.hex, what);
    }
    return text;
}

Result<Manifest> Manifest::parse(std::string_view text) {
    Manifest manifest;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        std::string_view line = text.substr(0, end);
        text.remove_prefix(std::min(end + 1, text.size()));
        if (line.ends_with('\r')) line.remove_suffix(1);
        if (auto parsed = parse_line(line)) manifest.lines.push_back(std::move(*parsed));
    }
    if (manifest.lines.empty()) {
        return fail({.code = Errc::bad_argument, .detail = "has no line of a hash and what it is of"});
    }
    return manifest;
}

std::size_t ManifestCheck::count(Finding finding) const {
    return static_cast<std::size_t>(std::ranges::count(lines, finding, &Line::finding));
}

std::string_view name(ManifestCheck::Finding finding) noexcept {
    switch (finding) {
        case ManifestCheck::Finding::same: return "same";
        case ManifestCheck::Finding::differs: return "differs";
        case ManifestCheck::Finding::missing: return "missing";
        case ManifestCheck::Finding::unlisted: return "unlisted";
    }
    return {};
}

}  // namespace ggufkit
