#include <algorithm>
#include <limits>
#include <vector>

#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "diff/sequences.hpp"
#include "signs.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

// The first element that differs, where two arrays of one type do.
std::string array_change(const ArrayView& a, const ArrayView& b) {
    const auto [in_a, in_b] = std::ranges::mismatch(a, b);
    if (in_a == a.end() || in_b == b.end()) {
        return fmt::format("{} → {} elements, the first {} are equal", grouped(a.size()), grouped(b.size()),
                           grouped(std::min(a.size(), b.size())));
    }
    std::uint64_t index = 0;
    for (auto it = a.begin(); it != in_a; ++it) ++index;
    return fmt::format(
        "{}[{}]: {} → {}",
        a.size() == b.size() ? "" : fmt::format("{} → {} elements; ", grouped(a.size()), grouped(b.size())), index,
        element_text(*in_a), element_text(*in_b));
}

std::string lines_changed(std::string_view a, std::string_view b) {
    if (!can_diff(a, b))
        return fmt::format("{} → {} bytes, too many lines to show", grouped(a.size()), grouped(b.size()));
    std::uint64_t removed = 0, added = 0;
    for (const Hunk& hunk : diff_lines(a, b, 0)) {
        removed += hunk.count_a;
        added += hunk.count_b;
    }
    if (removed + added == 0) return "differs in its last newline";
    return fmt::format("{} out, {} in: see below", counted(removed, "line"), counted(added, "line"));
}

std::string value_in_words(std::string_view key, const ValueView& value) {
    const FileType* const type = file_type_named(key, value);
    return type == nullptr ? value_cell(value).text : fmt::format("{} ({})", value_cell(value).text, type->name);
}

std::string value_change(std::string_view key, const ValueView& a, const ValueView& b) {
    if (a.type() == b.type()) {
        if (const auto array_a = a.as_array(), array_b = b.as_array();
            array_a && array_b && array_a->element_type() == array_b->element_type()) {
            return array_change(*array_a, *array_b);
        }
        if (const auto text_a = a.as_string(), text_b = b.as_string(); text_a && text_b) {
            if (std::max(text_a->size(), text_b->size()) > short_text) return lines_changed(*text_a, *text_b);
        }
    }
    return fmt::format("{} → {}", value_in_words(key, a), value_in_words(key, b));
}

// `narrow`: there is no room for a type that does not change.
void add_key(Table& table, const KeyChange& change, bool narrow) {
    std::string type, value;
    if (change.a && change.b) {
        type = arrow(type_text(*change.a), type_text(*change.b));
        value = value_change(change.key, *change.a, *change.b);
        if (narrow && change.a->type() != change.b->type()) value = type + ": " + value;
    } else {
        const ValueView& only = change.a ? *change.a : *change.b;
        type = type_text(only);
        value = value_in_words(change.key, only);
    }
    table.add({sign(change.a.has_value(), change.b.has_value()), printable(change.key), narrow ? "" : type, value});
}

}  // namespace

const FileType* file_type_named(std::string_view key, const ValueView& value) {
    if (key != "general.file_type") return nullptr;
    const auto id = value.as_unsigned();
    const bool fits = id && *id <= std::numeric_limits<std::uint32_t>::max();
    return fits ? find_file_type(static_cast<std::uint32_t>(*id)) : nullptr;
}

void print_keys(Console& console, const std::vector<KeyChange>& changes) {
    if (changes.empty()) return;
    console.out.write("\n");
    Table table({{},
                 {.title = "KEY", .cut = Cut::middle},
                 {.title = "TYPE", .style = Style::dim},
                 {.title = "VALUE", .cut = Cut::end}});
    const bool narrow = console.width().value_or(80) < 80;
    for (const KeyChange& change : changes) add_key(table, change, narrow);
    table.print(console, console.width());
}

}  // namespace ggufkit::tool::diff
