#include "plan/importance.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "plan/file_types.hpp"
#include "plan/roles.hpp"

namespace ggufkit::plan {

namespace {

// Embeddings are looked up, not multiplied: an imatrix has nothing about them, or nothing that counts.
bool is_embedding(const PlannedTensor& tensor) { return role_of(tensor.name, false).role == Role::token_embd; }

// Gives a tensor its importance, or says what is missing.
std::optional<ImatrixGap> match(PlannedTensor& tensor, std::size_t index, std::string_view source_name,
                                const Mix& mix) {
    using enum ImatrixGap::Kind;
    const bool needed = needs_imatrix(tensor.name, tensor.to, *mix.file_type);
    const auto gap = [&](ImatrixGap::Kind kind, bool fatal, std::string detail) {
        return ImatrixGap{index, fatal && !mix.imatrix_gaps_allowed, std::move(detail), kind};
    };
    const auto need = [&](std::string_view but) {
        return fmt::format("{} needs an imatrix in the file type {}{}", format_of(tensor.to).name, mix.file_type->name,
                           but);
    };
    if (mix.imatrix == nullptr) return needed ? std::optional(gap(no_imatrix, true, need(""))) : std::nullopt;

    const Imatrix::Entry* const entry = mix.imatrix->find_entry(source_name);
    const std::uint64_t columns = tensor.ne[0] * tensor.ne[2] * tensor.ne[3];
    if (entry == nullptr && mix.imatrix->is_uncounted(source_name)) {
        return gap(uncounted, needed,
                   needed ? need(", whose counts for it are all 0") : "all counts in the imatrix are 0");
    }
    if (entry == nullptr) {
        return gap(no_entry, needed, needed ? need(", which has no entry for it") : "no entry in the imatrix");
    }
    if (entry->weights.size() != columns) {
        return gap(other_size, !is_embedding(tensor),
                   fmt::format("{} weights in the imatrix, not {}", entry->weights.size(), columns));
    }
    tensor.importance = entry->weights;
    tensor.importance_from = entry->made_from;
    tensor.unseen = static_cast<std::uint32_t>(entry->unseen.size());
    return std::nullopt;
}

}  // namespace

bool needs_imatrix(std::string_view tensor, TensorType type, const FileType& file_type) {
    const auto role = role_of(tensor, false).role;
    if (role == Role::output || role == Role::token_embd) return false;
    switch (format_of(type).imatrix) {
        case ImatrixNeed::none: return false;
        case ImatrixNeed::always: return true;
        case ImatrixNeed::file_type_rule: return type != TensorType::Q2_K || id_of(file_type) == FileTypeId::Q2_K_S;
    }
    return false;
}

Result<void> check_same_model(const Model& model, const Mix& mix) {
    if (mix.imatrix == nullptr || mix.imatrix_gaps_allowed) return {};
    const auto entries = mix.imatrix->entries();
    const auto known = [&](const ModelTensor& tensor) {
        return mix.imatrix->find_entry(tensor.info->name) != nullptr || mix.imatrix->is_uncounted(tensor.info->name);
    };
    if (entries.empty() || std::ranges::any_of(model.tensors(), known)) return {};
    return fail(
        {.code = Errc::bad_argument,
         .subject = fmt::format("imatrix '{}'", mix.imatrix->origin().file),
         .detail = fmt::format("is of another model: this one has no tensor '{}', nor any other that it is about",
                               entries.front().tensor)});
}

void assign_importance(Plan& plan, const Model& model, const Mix& mix) {
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
        PlannedTensor& tensor = plan.tensors[i];
        if (tensor.from == tensor.to || !format_of(tensor.to).quantized()) continue;
        // An imatrix is of the source, whatever number a block has in the output.
        const std::string_view source_name = model.tensors()[tensor.source].info->name;
        if (auto gap = match(tensor, i, source_name, mix)) plan.imatrix_gaps.push_back(*std::move(gap));
    }
    if (mix.imatrix == nullptr) return;
    for (const Imatrix::Entry& entry : mix.imatrix->entries()) {
        if (model.find_tensor(entry.tensor) == nullptr) plan.unmatched_entries.push_back(entry.tensor);
    }
}

}  // namespace ggufkit::plan
