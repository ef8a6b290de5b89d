#include "error_json.hpp"

#include <string>
#include <vector>

namespace ggufkit::tool::diff {

void write_error(JsonWriter& json, const ErrorSums& sums, const TensorInfo* tensor, const Interval* interval) {
    json.begin_object().field("relative_rmse", sums.relative_rmse());
    if (interval != nullptr) {
        json.key("relative_rmse_95").begin_array().value(interval->low).value(interval->high).end_array();
    }
    json.field("sqnr_db", sums.sqnr_db());
    write_optional(json, "weighted_relative_rmse", sums.weighted_relative_rmse());
    json.field("max", sums.max_error);
    if (tensor != nullptr) {
        std::vector<std::uint64_t> at;
        std::uint64_t rest = sums.max_at;
        for (const std::uint64_t dim : tensor->shape()) {
            at.push_back(dim == 0 ? 0 : rest % dim);
            rest = dim == 0 ? 0 : rest / dim;
        }
        json.field("max_at", std::span<const std::uint64_t>(at));
    }
    json.field("rms", sums.rms())
        .field("cosine", sums.cosine())
        .field("gain", sums.gain())
        .field("bias", sums.bias())
        .field("equal", sums.equal_share())
        .field("weights", sums.elements)
        .field("not_finite", sums.not_finite)
        .end_object();
}

JsonWriter& write_group(JsonWriter& json, const ValueTotal& total, Grouping grouping) {
    json.key("name");
    if (grouping == Grouping::layer) {
        json.value(std::stoull(total.name));
    } else {
        json.value(total.name);
    }
    return json.field("tensors", total.tensors);
}

void write_totals(JsonWriter& json, std::string_view list, std::span<const ValueTotal> totals, Grouping grouping) {
    json.key(list).begin_array();
    for (const ValueTotal& total : totals) {
        json.begin_object();
        write_group(json, total, grouping).key("error");
        write_error(json, total.sums, nullptr, nullptr);
        json.end_object();
    }
    json.end_array();
}

}  // namespace ggufkit::tool::diff
