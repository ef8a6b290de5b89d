#include "common/text.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <utility>

#include "core/ascii.hpp"
#include "core/text.hpp"

namespace ggufkit::tool {

namespace {

std::string_view ellipsis() { return ascii_only() ? "..." : "…"; }

constexpr std::pair<char32_t, std::string_view> spellings[] = {
    {U'…', "..."}, {U'→', "->"}, {U'–', "-"}, {U'·', "."}, {U'×', "x"}, {U'²', "^2"}, {U'∞', "inf"}, {U'▁', "_"},
    {U'▂', "."},   {U'▃', "-"},  {U'▄', "~"}, {U'▅', "="}, {U'▆', "+"}, {U'▇', "*"},  {U'█', "#"},   {U'░', "."},
};

struct Range {
    char32_t first;
    char32_t last;
};

// Unicode 15, in coarse ranges: what terminals draw without an advance, and over two columns.
constexpr Range combining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489}, {0x0591, 0x05bd}, {0x0610, 0x061a}, {0x064b, 0x065f},   {0x06d6, 0x06dc},
    {0x0900, 0x0902}, {0x093c, 0x093c}, {0x0941, 0x0948}, {0x094d, 0x094d}, {0x0e31, 0x0e31},   {0x0e34, 0x0e3a},
    {0x0e47, 0x0e4e}, {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff}, {0x200b, 0x200f}, {0x202a, 0x202e},   {0x2060, 0x2064},
    {0x20d0, 0x20f0}, {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f}, {0xfeff, 0xfeff}, {0xe0100, 0xe01ef},
};
constexpr Range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2614, 0x2615},   {0x26a1, 0x26a1},
    {0x2705, 0x2705},   {0x274c, 0x274c},   {0x2753, 0x2755},   {0x2e80, 0x303e},   {0x3041, 0x33ff},
    {0x3400, 0x4dbf},   {0x4e00, 0x9fff},   {0xa000, 0xa4cf},   {0xa960, 0xa97f},   {0xac00, 0xd7a3},
    {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
    {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff}, {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

bool within(std::span<const Range> ranges, char32_t c) {
    const auto after = std::ranges::upper_bound(ranges, c, {}, &Range::first);
    return after != ranges.begin() && c <= std::prev(after)->last;
}

std::size_t width_of(char32_t c) {
    if (c < 0x300) return 1;
    if (within(combining, c)) return 0;
    return within(wide, c) ? 2 : 1;
}

// How many bytes of `text` fit into `width` columns.
std::size_t fitting(std::string_view text, std::size_t width) {
    std::size_t at = 0;
    while (at < text.size()) {
        const auto [c, length] = first_character(text.substr(at));
        const std::size_t columns = width_of(c);
        if (columns > width) break;
        width -= columns;
        at += length;
    }
    return at;
}

// From which byte on the rest of `text` fits into `width` columns.
std::size_t fitting_end(std::string_view text, std::size_t width) {
    std::size_t columns = display_width(text), at = 0;
    while (columns > width) {
        const auto [c, length] = first_character(text.substr(at));
        columns -= width_of(c);
        at += length;
    }
    return at;
}

struct Unit {
    double size;
    std::string_view name;
};

// Three significant digits or so, in the greatest unit that is not above `number`.
std::string in_units(double number, std::span<const Unit> units) {
    const auto unit = std::ranges::find_if(units, [&](const Unit& u) { return number >= u.size; });
    return fmt::format("{:.{}f} {}", number / unit->size, number / unit->size < 9.995 ? 2 : 1, unit->name);
}

}  // namespace

std::size_t display_width(std::string_view text) {
    std::size_t columns = 0;
    while (!text.empty()) {
        const auto [c, length] = first_character(text);
        columns += width_of(c);
        text.remove_prefix(length);
    }
    return columns;
}

std::string elide(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    const std::size_t dots = display_width(ellipsis());
    if (width < dots) return std::string(text.substr(0, fitting(text, width)));
    return fmt::format("{}{}", text.substr(0, fitting(text, width - dots)), ellipsis());
}

std::string elide_middle(std::string_view text, std::size_t width) {
    if (display_width(text) <= width) return std::string(text);
    const std::size_t dots = display_width(ellipsis());
    if (width < dots) return std::string(text.substr(0, fitting(text, width)));
    const std::size_t head = (width - dots + 1) / 2;
    return fmt::format("{}{}{}", text.substr(0, fitting(text, head)), ellipsis(),
                       text.substr(fitting_end(text, width - dots - head)));
}

std::string human_bytes(std::uint64_t bytes) {
    static constexpr Unit units[] = {{0x1p60, "EiB"}, {0x1p50, "PiB"}, {0x1p40, "TiB"},
                                     {0x1p30, "GiB"}, {0x1p20, "MiB"}, {0x1p10, "KiB"}};
    return bytes < 1024 ? fmt::format("{} B", bytes) : in_units(static_cast<double>(bytes), units);
}

std::string human_count(std::uint64_t number) {
    static constexpr Unit units[] = {{1e12, "T"}, {1e9, "B"}, {1e6, "M"}, {1e3, "K"}};
    return number < 1000 ? std::to_string(number) : in_units(static_cast<double>(number), units);
}

std::string counted(std::uint64_t number, std::string_view singular) {
    return fmt::format("{} {}{}", grouped(number), singular, number == 1 ? "" : "s");
}

std::string human_duration(double seconds) {
    return seconds < 60 ? fmt::format("{:.{}f} s", seconds, seconds < 10 ? 2 : 1) : rough_duration(seconds);
}

std::string rough_duration(double seconds) {
    const auto whole = std::lround(std::min(seconds, 1e9));
    if (whole < 60) return fmt::format("{} s", whole);
    if (whole < 3600) return fmt::format("{}:{:02}", whole / 60, whole % 60);
    return fmt::format("{}:{:02}:{:02}", whole / 3600, whole / 60 % 60, whole % 60);
}

std::string shape_text(std::span<const std::uint64_t> ne) {
    return ne.empty() ? "scalar" : fmt::format("{}", fmt::join(ne, "x"));
}

bool ascii_only() {
    static const bool answer = [] {
        for (const char* const name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
            const char* const locale = std::getenv(name);
            if (locale == nullptr || *locale == '\0') continue;
            const std::string_view text = locale;
            const std::size_t dot = std::min(text.find('.'), text.size() - 1);
            const std::string_view charset = text.substr(dot + 1, text.find('@') - dot - 1);
            return !equal_in_any_case(charset, "UTF-8") && !equal_in_any_case(charset, "UTF8");
        }
        return false;
    }();
    return answer;
}

std::string in_ascii(std::string_view text) {
    std::string result;
    while (!text.empty()) {
        const auto [code, length] = first_character(text);
        text.remove_prefix(length);
        const auto* const known = std::ranges::find(spellings, code, [](const auto& entry) { return entry.first; });
        if (code < 0x80) {
            result += static_cast<char>(code);
        } else if (known != std::end(spellings)) {
            result += known->second;
        } else {
            const auto number = static_cast<std::uint32_t>(code);
            result += number > 0xffff ? fmt::format("\\U{:08x}", number) : fmt::format("\\u{:04x}", number);
        }
    }
    return result;
}

}  // namespace ggufkit::tool
