#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/plan.hpp>
#include <ggufkit/quantize.hpp>

#include "core/text.hpp"
#include "plan/choose.hpp"
#include "plan/importance.hpp"

namespace ggufkit {

namespace {

constexpr std::uint32_t quantization_version = 2;

// Texts longer than llama.cpp keeps are cut like there, but between characters.
std::string_view cut(std::string_view text) {
    constexpr std::size_t longest = 127;
    if (text.size() <= longest) return text;
    std::size_t end = longest;
    while (end > longest - 4 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
    return text.substr(0, end);
}

// Where the importance came from, in llama-quantize's keys.
void describe_imatrix(Header& header, const Imatrix& imatrix) {
    const auto& [file, dataset, chunks] = imatrix.origin();
    const auto text = [&](std::string_view key, const std::string& value) {
        if (!value.empty()) header.set_last(key, Value::of_string(is_utf8(value) ? cut(value) : cut(printable(value))));
    };
    const auto count = [&](std::string_view key, std::uint64_t value) {
        header.set_last(key, Value::of_unsigned(ValueType::uint32, value));
    };
    text("quantize.imatrix.file", file);
    text("quantize.imatrix.dataset", dataset);
    count("quantize.imatrix.entries_count", imatrix.entries().size());
    if (chunks > 0) count("quantize.imatrix.chunks_count", chunks);
}

// The metadata of the source, with the keys that a requantized file changes; the tensors as chosen.
Result<Header> make_header(const Model& model, const Recipe& recipe, std::span<const plan::Choice> choices) {
    auto header = Header::from(model.header());
    if (!header) return header;
    header->set_last("general.quantization_version", Value::of_unsigned(ValueType::uint32, quantization_version));
    header->set_last("general.file_type", Value::of_unsigned(ValueType::uint32, recipe.file_type->id));
    for (const auto* key : {"split.no", "split.count", "split.tensors.count"}) header->remove(key);
    if (recipe.imatrix != nullptr) describe_imatrix(*header, *recipe.imatrix);
    header->tensors.clear();
    header->tensors.reserve(choices.size());
    for (const plan::Choice& choice : choices)
        header->tensors.push_back(
            {std::string(choice.tensor->name), choice.tensor->n_dims, choice.tensor->ne, choice.type});
    return header;
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

Result<Plan> make_plan(const Model& model, const Recipe& recipe) {
    if (recipe.file_type == nullptr) return fail({.code = Errc::bad_argument, .detail = "no file type was given"});
    if (auto same = plan::check_same_model(model, recipe); !same) return fail(std::move(same).error());
    const auto choices = plan::choose_types(model, recipe);
    if (!choices) return fail(choices.error());
    const auto header = make_header(model, recipe, *choices);
    if (!header) return fail(header.error());
    auto layout = make_layout(*header);
    if (!layout) return fail(layout.error());

    Plan plan;
    plan.file_type = recipe.file_type;
    plan.imatrix = recipe.imatrix;
    plan.effort = recipe.effort;
    plan.byte_order = header->byte_order;
    plan.tensors.reserve(choices->size());
    for (const auto& [tensor, source, bytes, type, reason, free] : *choices) {
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
                                .reason = reason,
                                .free = free});
    }
    plan.files.push_back(*std::move(layout));
    plan::assign_importance(plan, recipe);
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
    }
    const auto fatal = std::ranges::find_if(plan.imatrix_gaps, &ImatrixGap::fatal);
    if (fatal != plan.imatrix_gaps.end()) return refuse(plan.tensors[fatal->tensor], fatal->detail);
    return {};
}

}  // namespace ggufkit
