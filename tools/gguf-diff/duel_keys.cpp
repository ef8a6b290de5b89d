// Which keys of two quantizations are not those of their base: what the weights do not tell.
#include <algorithm>
#include <vector>

#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "duel.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

// Keys by which a model is described, and does not work.
bool describes(std::string_view key) { return key.starts_with("general.") && key != "general.architecture"; }

// Those that not every quantization changes; what matters most comes first.
std::vector<const KeyOfThree*> telling_keys(const Duel& duel) {
    std::vector<const KeyOfThree*> keys;
    for (const KeyOfThree& key : duel.keys) {
        if (!is_about_quantization(key.key)) keys.push_back(&key);
    }
    std::ranges::stable_partition(keys, [](const KeyOfThree* key) { return !describes(key->key); });
    return keys;
}

// Of a long value, how long it is.
std::string value_text(const std::optional<ValueView>& value) {
    if (!value) return "–";
    if (value->as_array()) return type_text(*value);
    const auto text = value->as_string();
    return text && text->size() > short_text ? counted(text->size(), "byte") : value_cell(*value).text;
}

Cell other_value(const std::optional<ValueView>& base, const std::optional<ValueView>& value) {
    const std::string text = value_text(value);
    if (!base || !value) return text;
    if (base->type() != value->type() && !value->as_array()) return type_text(*value) + ": " + text;
    return text == value_text(base) ? "another" : text;
}

void print_names(Console& console, std::string_view of, const std::vector<const KeyOfThree*>& keys,
                 bool KeyOfThree::*differs) {
    constexpr std::size_t most = 3;
    std::string text;
    std::size_t count = 0;
    for (const KeyOfThree* key : keys) {
        if (key->*differs && ++count <= most) text += (count == 1 ? "" : ", ") + printable(key->key);
    }
    if (count == 0) return;
    if (count > most) text += fmt::format(" and {} more", grouped(count - most));
    console.out.print("keys of {} unlike the base's: {}\n", of, text);
}

}  // namespace

void print_duel_keys(Console& console, const Duel& duel, bool in_full) {
    constexpr std::size_t most_rows = 15;
    const auto keys = telling_keys(duel);
    if (keys.empty()) return;
    Table table({{},
                 {.title = "KEY", .cut = Cut::middle},
                 {.title = "BASE", .cut = Cut::end},
                 {.title = "A", .cut = Cut::end},
                 {.title = "B", .cut = Cut::end}});
    const Cell same("same", Style::dim);
    for (const KeyOfThree* key : keys) {
        if (!in_full && table.size() == most_rows) break;
        const bool as_a = key->differs_in_a && key->differs_in_b && key->alike;
        table.add({"", printable(key->key), value_text(key->base),
                   key->differs_in_a ? other_value(key->base, key->a) : same,
                   as_a                ? Cell("as A")
                   : key->differs_in_b ? other_value(key->base, key->b)
                                       : same});
    }
    console.out.write("\n");
    table.print(console, console.width());
    print_more(console, keys.size() - table.size(), "key");
}

void print_duel_key_names(Console& console, const Duel& duel) {
    const auto keys = telling_keys(duel);
    print_names(console, "A", keys, &KeyOfThree::differs_in_a);
    print_names(console, "B", keys, &KeyOfThree::differs_in_b);
}

}  // namespace ggufkit::tool::diff
