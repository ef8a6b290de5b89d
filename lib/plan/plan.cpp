#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/plan.hpp>

#include "container/role.hpp"
#include "core/try.hpp"
#include "plan/choose.hpp"
#include "plan/header.hpp"
#include "plan/importance.hpp"
#include "plan/overrides.hpp"
#include "plan/split.hpp"

namespace ggufkit {

namespace {

tl::unexpected<Error> refuse(const char* detail) { return fail({.code = Errc::bad_argument, .detail = detail}); }

tl::unexpected<Error> refuse(const PlannedTensor& tensor, std::string detail) {
    return fail(
        {.code = Errc::unsupported, .subject = fmt::format("tensor '{}'", tensor.name), .detail = std::move(detail)});
}

// Sums over a text and directions of a control vector look like vectors of weights, and would all be copied.
Result<void> check_is_model(const Model& model) {
    switch (container::role_of(model.header())) {
        case container::Role::imatrix:
            return refuse("the input is an importance matrix, not a model: give it as --imatrix");
        case container::Role::control_vector:
            return refuse("the input is a control vector, not a model: it can be copied (COPY), not quantized");
        default: return {};
    }
}

// Of the files that the tensors went to, in order.
void place_tensors(Plan& plan, std::span<const plan::Choice> choices, std::span<const std::size_t> tensors_of_file) {
    plan.tensors.reserve(choices.size());
    for (std::uint32_t file = 0; file < tensors_of_file.size(); ++file) {
        const Layout& layout = plan.files[file];
        for (std::size_t i = 0; i < tensors_of_file[file]; ++i) {
            const auto& [tensor, name, source, bytes, type, reason, chooser, wanted] = choices[plan.tensors.size()];
            plan.tensors.push_back({.name = name,
                                    .source = source,
                                    .from = tensor->format->type(),
                                    .to = type,
                                    .n_dims = tensor->n_dims,
                                    .ne = tensor->ne,
                                    .bytes_in = bytes,
                                    .bytes_out = layout.sizes[i],
                                    .file = file,
                                    .offset = layout.offsets[i],
                                    .reason = reason,
                                    .chooser = chooser,
                                    .wanted = wanted});
        }
    }
}

}  // namespace

std::uint64_t Plan::bytes_in() const {
    std::uint64_t sum = 0;
    for (const PlannedTensor& tensor : tensors) sum += tensor.bytes_in;
    return sum;
}

std::uint64_t Plan::bytes_out() const {
    std::uint64_t sum = 0;
    for (const Layout& file : files) sum += file.file_bytes;
    return sum;
}

double Plan::bpw() const {
    double bits = 0;
    double weights = 0;
    for (const PlannedTensor& tensor : tensors) {
        bits += 8.0 * static_cast<double>(tensor.bytes_out);
        weights += static_cast<double>(tensor.ne[0]) * static_cast<double>(tensor.rows());
    }
    return weights == 0 ? 0 : bits / weights;
}

bool Plan::converts() const {
    return std::ranges::any_of(tensors, [](const PlannedTensor& tensor) { return tensor.from != tensor.to; });
}

Result<Plan> make_plan(const Model& model, const Recipe& recipe, const std::stop_token& stop) {
    const Mix* const mix = recipe.mix();
    if (mix != nullptr) {
        if (mix->file_type == nullptr) return refuse("no file type was given");
        TRY(check_is_model(model));
        TRY(plan::check_same_model(model, *mix));
    }
    auto metadata = plan::edit_metadata(model, recipe, plan::Label::of_recipe);
    if (!metadata) return fail(std::move(metadata).error());
    const plan::ModelFacts facts = plan::read_facts(model, metadata->header);
    TRY_LET(const auto pruning, plan::Pruning::of(recipe.pruned_layers, facts.layers));
    TRY_LET(const auto overrides,
            plan::Overrides::compile(mix != nullptr ? std::span(mix->overrides) : std::span<const TypeOverride>()));
    TRY_LET(const auto choices, plan::choose_types(model, recipe, overrides, facts, pruning, stop));
    if (mix != nullptr && std::ranges::none_of(choices, &plan::Choice::converts)) {
        metadata = plan::edit_metadata(model, recipe, plan::Label::of_source);
        if (!metadata) return fail(std::move(metadata).error());
    }
    auto& [header, notes] = *metadata;
    TRY(plan::complete(header, model, recipe, facts, pruning, choices));
    TRY_LET(auto files, plan::lay_out(header, model, choices, recipe.split));
    TRY(plan::check_edits(files.layouts.front(), recipe, notes));
    TRY(plan::check_padding(files.layouts, recipe));

    Plan plan;
    plan.model = model.identity();
    plan.metadata_notes = std::move(notes);
    plan.effort = recipe.effort;
    plan.byte_order = header.byte_order;
    plan.files = std::move(files.layouts);
    place_tensors(plan, choices, files.tensors);
    if (mix != nullptr) {
        plan.file_type = mix->file_type;
        plan.imatrix = mix->imatrix;
        plan::assign_importance(plan, model, *mix);
    }
    TRY_LET(auto unused, overrides.unused(plan.tensors, stop));
    plan.unused_overrides = std::move(unused);
    return plan;
}

Result<void> check_executable(const PlannedTensor& tensor) {
    if (tensor.from == tensor.to) return {};
    const std::string_view from = format_of(tensor.from).name;
    const std::string_view to = format_of(tensor.to).name;
    if (!can_dequantize(tensor.from)) return refuse(tensor, fmt::format("{} cannot be decoded here", from));
    if (!can_quantize(tensor.to)) return refuse(tensor, fmt::format("there is no quantizer for {} here", to));
    return {};
}

Result<void> check_executable(const Plan& plan) {
    for (const PlannedTensor& tensor : plan.tensors) {
        TRY(check_executable(tensor));
    }
    const auto fatal = std::ranges::find_if(plan.imatrix_gaps, &ImatrixGap::fatal);
    if (fatal == plan.imatrix_gaps.end()) return {};
    const auto all = std::ranges::count_if(plan.imatrix_gaps, &ImatrixGap::fatal);
    const std::string others = all == 1   ? ""
                               : all == 2 ? "; one more tensor cannot be made either"
                                          : fmt::format("; {} more tensors cannot be made either", all - 1);
    return refuse(plan.tensors[fatal->tensor], fatal->detail + others);
}

}  // namespace ggufkit
