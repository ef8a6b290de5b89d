#include <fmt/format.h>

#include <ggufkit/plan.hpp>
#include <ggufkit/quantize.hpp>

#include "plan/choose.hpp"
#include "plan/file_types.hpp"
#include "plan/roles.hpp"

namespace ggufkit {

namespace {

constexpr std::uint32_t quantization_version = 2;

// The metadata of the source, with the keys that a requantized file changes; the tensors as chosen.
Result<Header> make_header(const Model& model, const Recipe& recipe, std::span<const plan::Choice> choices) {
    auto header = Header::from(model.header());
    if (!header) return header;
    header->set_last("general.quantization_version", Value::of_unsigned(ValueType::uint32, quantization_version));
    header->set_last("general.file_type", Value::of_unsigned(ValueType::uint32, recipe.file_type->id));
    for (const auto* key : {"split.no", "split.count", "split.tensors.count"}) header->remove(key);
    header->tensors.clear();
    header->tensors.reserve(choices.size());
    for (const plan::Choice& choice : choices)
        header->tensors.push_back(
            {std::string(choice.tensor->name), choice.tensor->n_dims, choice.tensor->ne, choice.type});
    return header;
}

// What llama.cpp refuses to do without an imatrix, and so do we: embeddings and output excepted, types of which the
// registry says so, but Q2_K only in the file type Q2_K_S.
bool needs_imatrix(const PlannedTensor& tensor, const FileType& file_type) {
    const auto role = plan::role_of(tensor.name, false).role;
    if (role == plan::Role::output || role == plan::Role::token_embd) return false;
    switch (format_of(tensor.to).imatrix) {
        case ImatrixNeed::none: return false;
        case ImatrixNeed::always: return true;
        case ImatrixNeed::file_type_rule:
            return tensor.to != TensorType::Q2_K || plan::id_of(file_type) == plan::FileTypeId::Q2_K_S;
    }
    return false;
}

}  // namespace

std::uint64_t Plan::bytes_in() const {
    std::uint64_t sum = 0;
    for (const PlannedTensor& tensor : tensors) sum += tensor.bytes_in;
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

Result<Plan> make_plan(const Model& model, const Recipe& recipe) {
    if (recipe.file_type == nullptr) return fail({.code = Errc::bad_argument, .detail = "no file type was given"});
    const auto choices = plan::choose_types(model, recipe);
    if (!choices) return fail(choices.error());
    const auto header = make_header(model, recipe, *choices);
    if (!header) return fail(header.error());
    auto layout = make_layout(*header);
    if (!layout) return fail(layout.error());

    Plan plan;
    plan.file_type = recipe.file_type;
    plan.has_imatrix = recipe.has_imatrix;
    plan.effort = recipe.effort;
    plan.byte_order = header->byte_order;
    plan.tensors.reserve(choices->size());
    for (const auto& [tensor, source, bytes, type, reason] : *choices) {
        const std::size_t i = plan.tensors.size();
        plan.tensors.push_back({.name = std::string(tensor->name),
                                .source = source,
                                .from = tensor->format->type(),
                                .to = type,
                                .n_dims = tensor->n_dims,
                                .ne = tensor->ne,
                                .bytes_in = bytes,
                                .bytes_out = layout->sizes[i],
                                .offset = layout->offsets[i],
                                .reason = reason});
    }
    plan.layout = *std::move(layout);
    return plan;
}

Result<void> check_executable(const Plan& plan) {
    const auto refuse = [](const PlannedTensor& tensor, std::string detail) {
        return fail({.code = Errc::unsupported,
                     .subject = fmt::format("tensor '{}'", tensor.name),
                     .detail = std::move(detail)});
    };
    for (const PlannedTensor& tensor : plan.tensors) {
        if (tensor.from == tensor.to) continue;
        const std::string_view from = format_of(tensor.from).name;
        const std::string_view to = format_of(tensor.to).name;
        if (!can_dequantize(tensor.from)) return refuse(tensor, fmt::format("{} cannot be decoded here", from));
        if (!can_quantize(tensor.to)) return refuse(tensor, fmt::format("there is no quantizer for {} here", to));
        if (!plan.has_imatrix && needs_imatrix(tensor, *plan.file_type))
            return refuse(tensor, fmt::format("{} needs an imatrix in the file type {}", to, plan.file_type->name));
    }
    return {};
}

}  // namespace ggufkit
