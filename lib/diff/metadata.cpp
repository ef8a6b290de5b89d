// Which keys differ.
#include <fnmatch.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <ggufkit/diff/diff.hpp>
#include <iterator>
#include <ranges>
#include <string>

namespace ggufkit {

namespace {

// What a key says about the file rather than the model.
bool is_about_container(std::string_view key) {
    static constexpr std::array<std::string_view, 4> keys{"general.alignment", "split.no", "split.count",
                                                          "split.tensors.count"};
    return std::ranges::find(keys, key) != keys.end();
}

bool is_ignored(std::string_view key, const DiffOptions& options) {
    if (is_about_container(key)) return true;
    return std::ranges::any_of(options.ignored_keys, [name = std::string(key)](const std::string& pattern) {
        return ::fnmatch(pattern.c_str(), name.c_str(), 0) == 0;
    });
}

bool is_float(ValueType type) { return type == ValueType::float32 || type == ValueType::float64; }

bool close(const ValueView& a, const ValueView& b, double tolerance) {
    const double x = *a.as_float(), y = *b.as_float();
    return x == y || std::abs(x - y) <= tolerance * std::max(std::abs(x), std::abs(y)) || a == b;
}

bool equal(const ValueView& a, const ValueView& b, double tolerance) {
    if (tolerance == 0) return a == b;
    if (is_float(a.type()) && a.type() == b.type()) return close(a, b, tolerance);
    const auto array_a = a.as_array(), array_b = b.as_array();
    if (!array_a || !array_b || array_a->element_type() != array_b->element_type() ||
        !is_float(array_a->element_type())) {
        return a == b;
    }
    return std::ranges::equal(*array_a, *array_b,
                              [&](const ValueView& x, const ValueView& y) { return close(x, y, tolerance); });
}

}  // namespace

std::vector<KeyChange> compare_metadata(const ModelView& a, const ModelView& b, const DiffOptions& options) {
    using enum KeyChange::Kind;
    std::vector<KeyChange> changes;
    for (const KeyValue& entry : a.metadata()) {
        if (is_ignored(entry.key, options)) continue;
        const KeyValue* other = b.find_key(entry.key);
        if (other == nullptr) {
            changes.push_back({removed, std::string(entry.key), entry.value, std::nullopt});
        } else if (!equal(entry.value, other->value, options.tolerance)) {
            changes.push_back({changed, std::string(entry.key), entry.value, other->value});
        }
    }
    for (const KeyValue& entry : b.metadata()) {
        if (is_ignored(entry.key, options) || a.find_key(entry.key) != nullptr) continue;
        changes.push_back({added, std::string(entry.key), std::nullopt, entry.value});
    }
    std::ranges::sort(changes, {}, &KeyChange::key);
    return changes;
}

std::vector<KeyOfThree> compare_metadata(const ModelView& base, const ModelView& a, const ModelView& b,
                                         const DiffOptions& options) {
    const auto in_a = compare_metadata(base, a, options), in_b = compare_metadata(base, b, options);
    const auto between = compare_metadata(a, b, options);
    std::vector<std::string> names;
    std::ranges::set_union(in_a | std::views::transform(&KeyChange::key), in_b | std::views::transform(&KeyChange::key),
                           std::back_inserter(names));
    const auto has = [](const std::vector<KeyChange>& changes, std::string_view key) {
        return std::ranges::binary_search(changes, key, {}, &KeyChange::key);
    };
    const auto value_in = [](const ModelView& model, std::string_view key) {
        const KeyValue* const entry = model.find_key(key);
        return entry == nullptr ? std::nullopt : std::optional(entry->value);
    };
    std::vector<KeyOfThree> keys;
    keys.reserve(names.size());
    for (const std::string& name : names) {
        keys.push_back({.key = name,
                        .base = value_in(base, name),
                        .a = value_in(a, name),
                        .b = value_in(b, name),
                        .differs_in_a = has(in_a, name),
                        .differs_in_b = has(in_b, name),
                        .alike = !has(between, name)});
    }
    return keys;
}

bool is_about_quantization(std::string_view key) {
    static constexpr std::array<std::string_view, 3> keys{"general.file_type", "general.quantization_version",
                                                          "general.quantized_by"};
    static constexpr std::array<std::string_view, 2> beginnings{"quantize.", "ggufkit.provenance."};
    return std::ranges::find(keys, key) != keys.end() ||
           std::ranges::any_of(beginnings, [key](std::string_view begin) { return key.starts_with(begin); });
}

}  // namespace ggufkit
