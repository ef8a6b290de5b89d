#include "fit.hpp"

#include <algorithm>

#include "common/size.hpp"
#include "core/checked.hpp"

namespace ggufkit::tool::info {

namespace {

constexpr std::uint64_t usual_context =
    8192;  // where nobody asks: a long conversation, not all that a model could hold
constexpr std::uint64_t context_step = 256;

// Sizes of a hostile file may be anything: what is too large to count stays at the top.
std::uint64_t sum(std::uint64_t a, std::uint64_t b) { return checked_add(a, b).value_or(~std::uint64_t{0}); }
std::uint64_t left_after(std::uint64_t whole, std::uint64_t part) { return whole - std::min(whole, part); }

// How many bits a weight may have that the layers and the output fit into what caches and buffers leave.
double largest_bpw(const Fit& fit) {
    std::uint64_t room = 0;
    for (const DeviceLoad& device : fit.placement.devices)
        room = sum(room, left_after(left_after(device.capacity, fit.margin), fit.estimate.compute));
    room = left_after(room, left_after(fit.estimate.besides_weights(), fit.estimate.compute));
    const auto elements = static_cast<double>(fit.estimate.device_elements);
    return elements == 0 ? 0 : 8.0 * static_cast<double>(room) / elements;
}

// The context is searched by halves: a longer one never takes less.
std::uint64_t largest_context(const Model& model, const Fit& fit, std::span<const std::uint64_t> sizes) {
    std::uint64_t low = 0, high = fit.trained_context / context_step;
    while (low < high) {
        const std::uint64_t middle = high - (high - low) / 2;
        MemoryOptions options = fit.options;
        options.context = middle * context_step;
        const auto estimate = estimate_memory(model, options);
        if (estimate && place_layers(*estimate, sizes, fit.margin).whole()) {
            low = middle;
        } else {
            high = middle - 1;
        }
    }
    return low * context_step;
}

double bits_a_weight(std::uint64_t bytes, std::uint64_t elements) {
    return elements == 0 ? 0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(elements);
}

std::uint64_t count_elements(const Model& model) {
    std::uint64_t elements = 0;
    for (const ModelTensor& tensor : model.tensors()) elements = sum(elements, tensor.info->elements().value_or(0));
    return elements;
}

// Ternary types are for models that were trained for them.
bool is_for_any_model(const FileType& type) { return format_of(type.default_type).family != Family::ternary; }

std::vector<Candidate> candidates(const Model& model, const Fit& fit, std::span<const std::uint64_t> sizes) {
    std::vector<Candidate> rows;
    for (const Variant& one : variants(model, fit.options)) {
        const Placement placement = place_layers(one.estimate, sizes, fit.margin);
        rows.push_back({.type = one.type,
                        .bpw = one.bpw,
                        .weights = one.estimate.weights(),
                        .devices = needed_on_devices(one.estimate, placement),
                        .fits = placement.whole(),
                        .needs_imatrix = one.needs_imatrix});
    }
    return rows;
}

}  // namespace

std::vector<std::uint64_t> capacities(const FitOptions& options) {
    std::vector<std::uint64_t> sizes;
    sizes.reserve(options.gpus.size() + 1);
    for (const std::string& text : options.gpus) sizes.push_back(read_size(text).value_or(0));
    if (!options.device.empty()) sizes.push_back(read_size(options.device).value_or(0));
    return sizes;
}

std::uint64_t margin(const FitOptions& options) { return read_size(options.margin).value_or(0); }  // of "0" too

MemoryOptions memory_options(const FitOptions& options) {
    const TensorType cache = find_format(options.cache_type)->type();
    return {
        .ubatch = options.ubatch, .cache_k = cache, .cache_v = cache, .flash_attention = !options.no_flash_attention};
}

std::vector<Variant> variants(const Model& model, const MemoryOptions& options) {
    const std::uint64_t elements = count_elements(model);
    std::vector<Variant> variants;
    const auto add = [&](const FileType* type, const Plan* plan) {
        MemoryOptions with_plan = options;
        with_plan.plan = plan;
        auto estimate = estimate_memory(model, with_plan);
        if (!estimate) return;
        const bool hungry = plan != nullptr && std::ranges::any_of(plan->imatrix_gaps, &ImatrixGap::fatal);
        variants.push_back({type, bits_a_weight(estimate->weights(), elements), hungry, std::move(*estimate)});
    };
    add(nullptr, nullptr);
    for (const FileType& type : file_types()) {
        if (!is_for_any_model(type)) continue;
        const auto plan = make_plan(model, {Mix{.file_type = &type}});
        if (plan) add(&type, &*plan);  // else a row is no whole number of blocks
    }
    std::ranges::stable_sort(variants, std::ranges::greater{},
                             [](const Variant& one) { return one.estimate.weights(); });
    return variants;
}

std::uint64_t needed_on_devices(const MemoryEstimate& estimate, const Placement& placement) {
    if (!placement.whole()) return estimate.on_device();
    std::uint64_t bytes = 0;
    for (const DeviceLoad& device : placement.devices) bytes = sum(bytes, device.total());
    return bytes;
}

Result<Fit> make_fit(const Model& model, const FitOptions& options) {
    if (model.tensors().empty())
        return fail({.code = Errc::not_found, .detail = "has no tensors: there is nothing to run"});
    const std::vector<std::uint64_t> sizes = capacities(options);
    Fit fit;
    fit.margin = margin(options);
    fit.options = memory_options(options);
    const auto whole = estimate_memory(model, fit.options);
    if (!whole) return fail(whole.error());
    fit.trained_context = whole->context;
    fit.options.context = options.context.value_or(std::min(usual_context, fit.trained_context));
    auto estimate = estimate_memory(model, fit.options);
    if (!estimate) return fail(std::move(estimate).error());
    fit.estimate = std::move(*estimate);
    fit.placement = place_layers(fit.estimate, sizes, fit.margin);
    fit.fits_without_margin = place_layers(fit.estimate, sizes).whole();
    fit.largest_bpw = largest_bpw(fit);
    fit.largest_context = largest_context(model, fit, sizes);
    fit.candidates = candidates(model, fit, sizes);
    return fit;
}

}  // namespace ggufkit::tool::info
