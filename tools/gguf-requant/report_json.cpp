#include <array>
#include <ggufkit/remote.hpp>

#include "common/json.hpp"
#include "plan/place.hpp"
#include "report.hpp"

namespace ggufkit::tool::requant {

namespace {

// `at`: the place of the greatest error, where the sums are of one tensor.
void write_error(JsonWriter& json, const ErrorSums& sums, std::span<const std::uint64_t> at) {
    json.key("error").begin_object().field("relative_rmse", sums.relative_rmse()).field("sqnr_db", sums.sqnr_db());
    json.field("weighted_relative_rmse", sums.weighted_relative_rmse());
    json.field("max", sums.max_error);
    if (!at.empty()) json.field("max_at", at);
    json.field("rms", sums.rms())
        .field("cosine", sums.cosine())
        .field("gain", sums.gain())
        .field("bias", sums.bias())
        .end_object();
}

void write_tensor(JsonWriter& json, const PlannedTensor& tensor, const TensorQuality& quality) {
    const auto [layer, part] = plan::place_of(tensor.name);
    json.begin_object().field("name", tensor.name);
    json.field("layer", layer);
    json.field("part", part)
        .field("from", format_of(tensor.from).name)
        .field("to", format_of(tensor.to).name)
        .field("shape", std::span<const std::uint64_t>(tensor.ne.data(), tensor.n_dims))
        .field("bytes_in", tensor.bytes_in)
        .field("bytes_out", tensor.bytes_out)
        .field("reason", tensor.reason)
        .field("seconds", quality.seconds);
    if (quality.measured) {
        std::array<std::uint64_t, max_dims> at{};
        std::uint64_t rest = quality.sums.max_at;
        for (std::size_t dim = 0; dim < tensor.n_dims; ++dim) {
            at[dim] = rest % tensor.ne[dim];
            rest /= tensor.ne[dim];
        }
        write_error(json, quality.sums, std::span(at).first(tensor.n_dims));
    } else {
        json.key("error").null();
    }
    json.end_object();
}

void write_total(JsonWriter& json, const QualityTotal& total) {
    json.field("tensors", total.tensors)
        .field("measured", total.measured)
        .field("bytes_in", total.bytes_in)
        .field("bytes_out", total.bytes_out)
        .field("seconds", total.seconds);
    if (total.measured > 0) {
        write_error(json, total.sums, {});
    } else {
        json.key("error").null();
    }
}

void write_totals(JsonWriter& json, std::string_view list, const Outcome& outcome, Grouping grouping) {
    json.key(list).begin_array();
    for (const QualityTotal& total : totals(*outcome.output.plan, outcome.quality, grouping)) {
        json.begin_object().key("name");
        if (grouping == Grouping::layer) {
            json.value(std::stoull(total.name));
        } else {
            json.value(total.name);
        }
        write_total(json, total);
        json.end_object();
    }
    json.end_array();
}

}  // namespace

std::string report_json(const Outcome& outcome) {
    const auto& [input, output, quality, seconds, tool] = outcome;
    const Plan& plan = *output.plan;
    Output text(Output::Sink::memory);
    JsonWriter json(text);
    json.begin_object()
        .field("tool", tool)
        .field("input", shown_name(input.string()))
        .field("output", output.path.string())
        .field("file_type", type_name(plan.file_type))
        .field("effort", name(plan.effort));
    json.key("imatrix");
    if (plan.imatrix != nullptr) {
        json.value(plan.imatrix->origin().file);
    } else {
        json.null();
    }
    json.field("bytes_in", plan.bytes_in())
        .field("bytes_out", plan.bytes_out())
        .field("bpw", plan.bpw() > 0 ? std::optional(plan.bpw()) : std::nullopt)
        .field("seconds", seconds);
    json.key("total").begin_object();
    for (const QualityTotal& total : totals(plan, quality, Grouping::whole)) write_total(json, total);
    json.end_object();
    write_totals(json, "parts", outcome, Grouping::part);
    write_totals(json, "layers", outcome, Grouping::layer);
    write_totals(json, "types", outcome, Grouping::type);
    json.key("tensors").begin_array();
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) write_tensor(json, plan.tensors[i], quality.tensors[i]);
    json.end_array().end_object().finish();
    return text.take();
}

}  // namespace ggufkit::tool::requant
