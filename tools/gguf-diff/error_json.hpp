// Errors as JSON: spec/json.md.
#pragma once

#include <ggufkit/diff/diff.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/json.hpp"

namespace ggufkit::tool::diff {

void write_optional(JsonWriter& json, std::string_view name, const auto& value) {
    json.key(name);
    if (value) {
        json.value(*value);
    } else {
        json.null();
    }
}

// The file of an importance matrix, or null.
inline void write_imatrix(JsonWriter& json, std::string_view name, const std::string& file) {
    write_optional(json, name, file.empty() ? std::nullopt : std::optional<std::string_view>(file));
}

// An object. `tensor`: whose weight has the greatest error; null in totals. `interval`: null where all was looked at.
void write_error(JsonWriter& json, const ErrorSums& sums, const TensorInfo* tensor, const Interval* interval);

void write_totals(JsonWriter& json, std::string_view list, std::span<const ValueTotal> totals, Grouping grouping);

// Name and size of a total: fields of the object that is open.
JsonWriter& write_group(JsonWriter& json, const ValueTotal& total, Grouping grouping);

}  // namespace ggufkit::tool::diff
