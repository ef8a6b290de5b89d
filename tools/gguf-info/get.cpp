// --get KEY, KEY[I], KEY[FROM:TO]: values as they are, for scripts, or as JSON.
#include <optional>

#include "common/json.hpp"
#include "common/markdown.hpp"
#include "common/show.hpp"
#include "common/suggest.hpp"
#include "core/number.hpp"
#include "core/text.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

struct Asked {
    std::string_view key;
    std::optional<std::uint64_t> from{}, to{};  // elements of an array: one past the last; none: to its end
    bool sliced = false;
    bool single = false;  // KEY[3]: of an array that one, no array of one
};

// A key may hold brackets itself: only "[N]", "[N:N]", "[N:]", "[:N]" and "[:]" at its end are taken off.
Asked read(std::string_view text) {
    const std::size_t bracket = text.rfind('[');
    if (bracket == text.npos || !text.ends_with(']')) return {.key = text};
    const std::string_view inside = text.substr(bracket + 1, text.size() - bracket - 2);
    const std::size_t colon = inside.find(':');
    Asked asked{
        .key = text.substr(0, bracket), .from = read_number<std::uint64_t>(inside.substr(0, colon)), .sliced = true};
    if (colon == inside.npos) {
        if (!asked.from) return {.key = text};
        asked.to = *asked.from + 1;
        asked.single = true;
        return asked;
    }
    asked.to = read_number<std::uint64_t>(inside.substr(colon + 1));
    const bool sound = (asked.from || colon == 0) && (asked.to || colon + 1 == inside.size());
    return sound ? asked : Asked{.key = text};
}

void print_value(Console& console, const ValueView& value) {
    if (const auto text = value.as_string()) {
        print_raw(console, *text);
    } else if (const auto array = value.as_array()) {
        for (const ValueView element : *array) print_value(console, element);
    } else {
        console.out.print("{}\n", element_text(value));
    }
}

}  // namespace

// To a terminal, nothing but text; to a pipe, the bytes.
void print_raw(Console& console, std::string_view text) {
    if (console.markdown()) {
        console.out.write(markdown_block(text));
    } else if (console.terminal()) {
        console.out.write(text.empty() ? "\n" : printable_lines(text));
    } else {
        console.out.write_raw(text);
        if (!text.ends_with('\n')) console.out.write_raw("\n");
    }
}

Result<void> print_one(Console& console, const Model& model, std::string_view expression, bool as_json) {
    const auto missing = [&](std::string detail) {
        return fail({.code = Errc::not_found,
                     .subject = fmt::format("key '{}'", printable(expression)),
                     .detail = std::move(detail)});
    };
    const KeyValue* entry = model.header().find_key(expression);
    Asked asked{.key = expression};
    if (entry == nullptr) {
        asked = read(expression);
        entry = asked.sliced ? model.header().find_key(asked.key) : nullptr;
    }
    if (entry == nullptr) {
        const std::string_view key = asked.sliced ? asked.key : expression;
        const bool bad_index = model.header().find_key(key.substr(0, key.find('['))) != nullptr;  // tokens[x]
        if (!model.complete()) return missing("is not among the keys that can be read");
        return missing("is not in this file" + (bad_index ? "" : did_you_mean_key(key, model)));
    }
    JsonWriter json(console.out);
    const auto print = [&](const ValueView& value) { as_json ? void(json.value(value)) : print_value(console, value); };
    const bool as_list = as_json && asked.sliced && !asked.single;
    if (!asked.sliced) {
        print(entry->value);
    } else {
        const auto array = entry->value.as_array();
        if (!array) return missing("is no array");
        const std::uint64_t from = asked.from.value_or(0), to = asked.to.value_or(array->size());
        if (from > to || to > array->size()) return missing(fmt::format("has {} elements", array->size()));
        if (as_list) json.begin_array();
        std::uint64_t index = 0;
        for (const ValueView element : *array) {
            if (index >= to) break;
            if (index++ >= from) print(element);
        }
        if (as_list) json.end_array();
    }
    if (as_json) json.finish();
    return {};
}

}  // namespace ggufkit::tool::info
