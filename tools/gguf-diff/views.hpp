// A Comparison for people and for programs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/requant/plan.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "common/console.hpp"
#include "common/json.hpp"
#include "comparison.hpp"

namespace ggufkit::tool::diff {

// `in_full`: every tensor, and all of every long value.
void print_text(Console& console, const Comparison& comparison, bool in_full);
void print_brief(Console& console, const Comparison& comparison);
void write_json(Output& out, const Comparison& comparison);  // spec/json.md

inline constexpr std::size_t short_text = 40;  // is shown whole; longer ones by line

// The file type whose number the value of general.file_type is; null for other keys, and numbers that no file type has.
const FileType* file_type_named(std::string_view key, const ValueView& value);

// A field: {"type", "value"}, or null.
void write_value(JsonWriter& json, std::string_view field, std::string_view key, const std::optional<ValueView>& value);

// One of the long lists of a tokenizer, which are told of together.
bool is_tokenizer_list(std::string_view key);

// Broken at spaces to the width of the screen; its first `styled` bytes in that style.
void print_sentence(Console& console, std::string_view text, Style style = Style::plain, std::size_t styled = 0);

// The parts of print_text().
void print_keys(Console& console, const std::vector<KeyChange>& changes);
void print_details(Console& console, const Comparison& comparison, bool in_full);
void print_more(Console& console, std::size_t hidden, std::string_view what);
void print_sample(Console& console, std::uint64_t sample);  // nothing where all was looked at
// A bar a layer, all strips on one scale, below an empty line; nothing where no layer has an error.
struct LayerStrip {
    std::string_view title;
    std::vector<ValueTotal> layers;
};
void print_layers(Console& console, std::vector<LayerStrip> strips);
void print_tensors(Console& console, const Comparison& comparison, bool in_full);

}  // namespace ggufkit::tool::diff
