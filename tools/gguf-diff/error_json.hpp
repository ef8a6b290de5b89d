// Errors as JSON: spec/json.md.
#pragma once

#include <ggufkit/diff.hpp>
#include <span>
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

// An object. `tensor`: whose weight has the greatest error; null in totals. `interval`: null where all was looked at.
void write_error(cli::JsonWriter& json, const ErrorSums& sums, const TensorInfo* tensor, const Interval* interval);

void write_totals(cli::JsonWriter& json, std::string_view list, std::span<const ValueTotal> totals,
                  ValueGrouping grouping);

// Name and size of a total: fields of the object that is open.
cli::JsonWriter& write_group(cli::JsonWriter& json, const ValueTotal& total, ValueGrouping grouping);

}  // namespace ggufkit::diff
