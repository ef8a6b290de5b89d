// Errors as JSON: spec/json.md.
#pragma once

#include <ggufkit/diff.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "common/json.hpp"

namespace ggufkit::diff {

void write_optional(cli::JsonWriter& json, std::string_view name, const auto& value) {
    json.key(name);
    if (value) {
        json.value(*value);
    } else {
        json.null();
    }
}

// The file of an importance matrix, or null.
inline void write_imatrix(cli::JsonWriter& json, std::string_view name, const std::string& file) {
    write_optional(json, name, file.empty() ? std::nullopt : std::optional<std::string_view>(file));
}

// An object. `tensor`: whose weight has the greatest error; null in totals. `interval`: null where all was looked at.
void write_error(cli::JsonWriter& json, const ErrorSums& sums, const TensorInfo* tensor, const Interval* interval);

void write_totals(cli::JsonWriter& json, std::string_view list, std::span<const ValueTotal> totals,
                  ValueGrouping grouping);

// Name and size of a total: fields of the object that is open.
cli::JsonWriter& write_group(cli::JsonWriter& json, const ValueTotal& total, ValueGrouping grouping);

}  // namespace ggufkit::diff
