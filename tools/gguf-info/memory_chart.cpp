#include "memory_chart.hpp"

#include <algorithm>
#include <set>

namespace ggufkit::tool::info {

namespace {

// Of cards as they are sold, in bytes.
constexpr std::uint64_t GiB = 1u << 30;
constexpr std::uint64_t usual_cards[] = {8 * GiB, 12 * GiB, 16 * GiB, 24 * GiB, 48 * GiB, 80 * GiB};

// Powers of two from 2048 on (256 for models that see little), what the model was trained for, and what was asked for.
std::set<std::uint64_t> contexts(std::uint64_t trained, const FitOptions& options) {
    constexpr std::uint64_t first = 2048, first_of_small = 256, longest = std::uint64_t{1} << 24;
    std::set<std::uint64_t> contexts{trained};
    if (options.context.value_or(0) != 0) contexts.insert(*options.context);
    const std::uint64_t end = std::min(*contexts.rbegin(), longest);
    for (std::uint64_t one = end > first ? first : first_of_small; one < end; one *= 2) contexts.insert(one);
    return contexts;
}

// The caches and buffers of one estimate with the weights of another.
MemoryEstimate with_weights(MemoryEstimate estimate, const MemoryEstimate& from) {
    estimate.input_weights = from.input_weights;
    estimate.output_weights = from.output_weights;
    estimate.output_copy = from.output_copy;
    estimate.device_elements = from.device_elements;
    for (std::size_t i = 0; i < estimate.layers.size(); ++i) estimate.layers[i].weights = from.layers[i].weights;
    return estimate;
}

std::uint64_t longest_context(const MemoryChart& chart, const MemoryEstimate& weights,
                              const std::vector<std::uint64_t>& devices) {
    for (auto point = chart.points.rbegin(); point != chart.points.rend(); ++point) {
        const MemoryEstimate estimate = with_weights(point->estimate, weights);
        if (place_layers(estimate, devices, margin(chart.options)).whole()) return estimate.context;
    }
    return 0;
}

void add_file_types(MemoryChart& chart, const Model& model, const MemoryOptions& options) {
    for (const Variant& one : variants(model, options)) {
        MemoryChart::Row row{one.type, one.bpw, one.estimate.device_weights(), one.needs_imatrix, {}};
        for (const auto& devices : chart.devices) row.contexts.push_back(longest_context(chart, one.estimate, devices));
        chart.file_types.push_back(std::move(row));
    }
}

void write_point(JsonWriter& json, const MemoryChart::Point& point) {
    const MemoryEstimate& estimate = point.estimate;
    json.begin_object()
        .field("context", estimate.context)
        .field("weights", estimate.device_weights())
        .field("kv_cache", estimate.kv_cache)
        .field("recurrent", estimate.recurrent)
        .field("compute", estimate.compute)
        .field("gpu_layers", point.gpu_layers)
        .field("asked", point.asked)
        .end_object();
}

void write_row(JsonWriter& json, const MemoryChart::Row& row) {
    json.begin_object()
        .field("name", row.type == nullptr ? std::nullopt : std::optional(row.type->name))
        .field("bpw", row.bpw)
        .field("weights", row.weights)
        .field("needs_imatrix", row.needs_imatrix)
        .field("contexts", std::span<const std::uint64_t>(row.contexts))
        .end_object();
}

}  // namespace

Result<std::optional<MemoryChart>> make_memory_chart(const Model& model, const FitOptions& asked) {
    MemoryOptions options = memory_options(asked);
    const auto whole = estimate_memory(model, options);
    if (!whole && whole.error().code == Errc::bad_argument) return fail(whole.error());
    if (!whole || model.tensors().empty()) return std::nullopt;

    const std::vector<std::uint64_t> named = capacities(asked);
    MemoryChart chart{
        .options = asked, .trained_context = whole->context, .devices = {}, .points = {}, .file_types = {}};
    if (!named.empty()) chart.devices.push_back(named);
    for (const std::uint64_t card : usual_cards)
        if (named.empty()) chart.devices.push_back({card});

    for (const std::uint64_t context : contexts(whole->context, asked)) {
        options.context = context;
        auto estimate = estimate_memory(model, options);
        if (!estimate) continue;  // too long to count
        const bool again = !chart.points.empty() && chart.points.back().estimate.context == estimate->context;
        if (again) continue;  // what was asked for was rounded up to this
        const std::uint64_t layers = place_layers(*estimate, named, margin(asked)).gpu_layers;
        chart.points.push_back({std::move(*estimate), layers, asked.context == context});
    }
    options.context = 0;
    add_file_types(chart, model, options);
    return chart;
}

void write_memory_chart(JsonWriter& json, const std::optional<MemoryChart>& chart) {
    if (!chart) {
        json.null();
        return;
    }
    const MemoryEstimate& first = chart->points.front().estimate;
    json.begin_object()
        .field("cache_type", format_of(memory_options(chart->options).cache_k).name)
        .field("ubatch", chart->options.ubatch)
        .field("margin", margin(chart->options))
        .field("asked", chart->options.wanted())
        .field("trained_context", chart->trained_context)
        .field("layers", first.layers.size() + 1)
        .field("input_weights", first.input_weights);
    json.key("assumptions").begin_array();
    for (const std::string& assumption : first.assumptions) json.value(std::string_view(assumption));
    json.end_array().key("devices").begin_array();
    for (const auto& devices : chart->devices) json.value(std::span<const std::uint64_t>(devices));
    json.end_array().key("points").begin_array();
    for (const MemoryChart::Point& point : chart->points) write_point(json, point);
    json.end_array().key("file_types").begin_array();
    for (const MemoryChart::Row& row : chart->file_types) write_row(json, row);
    json.end_array().end_object();
}

}  // namespace ggufkit::tool::info
