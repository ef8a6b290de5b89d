#include "plan/provenance.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <ggufkit/inspect/digests.hpp>
#include <ggufkit/requant/provenance.hpp>
#include <ggufkit/version.hpp>
#include <optional>
#include <unordered_set>

#include "core/text.hpp"
#include "core/try.hpp"
#include "plan/recipe_line.hpp"

namespace ggufkit {

namespace {

constexpr std::string_view prefix = "ggufkit.provenance.";
constexpr std::string_view tool_key = "ggufkit.provenance.tool";
constexpr std::string_view library_key = "ggufkit.provenance.library";
constexpr std::string_view recipe_key = "ggufkit.provenance.recipe";
constexpr std::string_view pure_key = "ggufkit.provenance.pure";
constexpr std::string_view effort_key = "ggufkit.provenance.effort";
constexpr std::string_view imatrix_key = "ggufkit.provenance.imatrix";
constexpr std::string_view source_key = "ggufkit.provenance.source.xxh3_128";

// A line as xxh128sum prints it: digest, two blanks, name.
constexpr std::string_view between = "  ";
constexpr std::size_t digest_digits = 32;

std::string record_of(const Digest& digest, std::string_view tensor) {
    return fmt::format("{}{}{}", digest.hex(), between, tensor);
}

struct Record {
    std::string_view tensor;
    Digest digest;
};

std::optional<Record> read_record(std::string_view text) {
    const auto digest = Digest::of_hex(text.substr(0, digest_digits));
    if (!digest || !text.substr(digest_digits).starts_with(between)) return std::nullopt;
    return Record{text.substr(digest_digits + between.size()), *digest};
}

Result<std::vector<Record>> read_records(const Model& made) {
    const std::string file = made.shard_path(0).string();
    const auto wrong = [&](std::string_view detail) {
        return fail({.code = Errc::bad_semantics,
                     .subject = fmt::format("{}: key '{}'", file, source_key),
                     .detail = std::string(detail)});
    };
    if (made.header().find_key(source_key) == nullptr) {
        return fail({.code = Errc::not_found, .subject = file, .detail = "does not say what it was made from"});
    }
    const auto lines = made.header().get_array(source_key);
    if (!lines) return wrong("is no list");
    std::vector<Record> records;
    std::unordered_set<std::string_view> names;
    for (const ValueView line : *lines) {
        const auto text = line.as_string();
        const auto record = text ? read_record(*text) : std::nullopt;
        if (!record) return wrong("has an element that is not a digest, two blanks and a name");
        if (!names.insert(record->tensor).second) return wrong("names a tensor twice");
        records.push_back(*record);
    }
    return records;
}

std::string recipe_text(const Recipe& recipe) {
    std::string text;
    if (const Mix* const mix = recipe.mix()) {
        text = plan::recipe_line(*mix->file_type);
        for (const TypeOverride& row : mix->overrides) text += plan::recipe_line(row);
        // What a recipe file has no lines for, as the flags of gguf-requant.
        const auto add = [&](std::string_view flag, std::optional<TensorType> type) {
            if (type) text += fmt::format("# {} {}\n", flag, format_of(*type).name);
        };
        add("--output-tensor-type", mix->output_type);
        add("--token-embedding-type", mix->token_embedding_type);
        if (mix->leave_output) text += "# --leave-output-tensor\n";
    } else {
        text = "# COPY\n";
    }
    if (!recipe.pruned_layers.empty()) {
        text += fmt::format("# --prune-layers {}\n", fmt::join(recipe.pruned_layers, ","));
    }
    return text;
}

}  // namespace

Result<void> plan::describe_provenance(Header& header, const Model& model, const Recipe& recipe) {
    std::vector<std::string> old;
    for (const Header::Entry& entry : header.metadata())
        if (entry.key.starts_with(prefix)) old.push_back(entry.key);
    for (const std::string& key : old) header.remove(key);
    if (recipe.provenance == nullptr) return {};

    const auto& [tool, source] = *recipe.provenance;
    if (source.size() != model.tensors().size()) {
        return fail({.code = Errc::bad_argument, .detail = "the provenance is of another model"});
    }
    const auto text = [&](std::string_view key, const std::string& value) {
        header.set_last(key, Value::of_string(is_utf8(value) ? value : printable(value)));
    };
    if (!tool.empty()) text(tool_key, tool);
    text(library_key, fmt::format("ggufkit {}", version()));
    text(recipe_key, recipe_text(recipe));
    const Mix* const mix = recipe.mix();
    header.set_last(pure_key, Value::of_bool(mix != nullptr && mix->pure));
    text(effort_key, std::string(name(recipe.effort)));
    // Its name only: a folder says more about a machine than about the model.
    if (mix != nullptr && mix->imatrix != nullptr) {
        text(imatrix_key, std::filesystem::path(mix->imatrix->origin().file).filename().string());
    }
    std::vector<std::string> records;
    records.reserve(source.size());
    for (std::size_t i = 0; i < source.size(); ++i) {
        records.push_back(record_of(source[i], model.tensors()[i].info->name));
    }
    header.set_last(source_key, Value::of_strings(records));
    return {};
}

Result<Provenance> provenance_of(const Model& source, std::string tool, const Work& work) {
    TRY_LET(auto found, digests(source, source.tensors(), work));
    return Provenance{std::move(tool), std::move(found)};
}

std::size_t ProvenanceCheck::count(Finding finding) const {
    return static_cast<std::size_t>(std::ranges::count(tensors, finding, &Tensor::finding));
}

std::string_view name(ProvenanceCheck::Finding finding) noexcept {
    static constexpr std::array<std::string_view, 5> names{"same", "differs", "missing", "unused", "unrecorded"};
    return names[static_cast<std::size_t>(finding)];
}

Result<ProvenanceCheck> check_provenance(const Model& made, const Model& source, const Work& work) {
    using enum ProvenanceCheck::Finding;
    TRY_LET(const auto records, read_records(made));
    std::vector<ModelTensor> present;
    std::unordered_set<std::string_view> recorded;
    for (const Record& record : records) {
        recorded.insert(record.tensor);
        if (const ModelTensor* tensor = source.find_tensor(record.tensor)) present.push_back(*tensor);
    }
    TRY_LET(const auto found, digests(source, present, work));

    ProvenanceCheck check{.tool = std::string(made.header().get_string(tool_key).value_or("")),
                          .recipe = std::string(made.header().get_string(recipe_key).value_or("")),
                          .tensors = {}};
    std::size_t next = 0;  // in `present`
    for (const auto& [tensor, digest] : records) {
        const bool is_there = source.find_tensor(tensor) != nullptr;
        const auto finding = !is_there ? missing : found[next] == digest ? same : differs;
        next += is_there ? 1 : 0;
        check.tensors.push_back({std::string(tensor), finding});
    }
    for (const auto& [model, finding] : {std::pair(&source, unused), std::pair(&made, unrecorded)}) {
        for (const ModelTensor& tensor : model->tensors()) {
            const std::string_view name = tensor.info->name;
            const bool told = model == &made && source.find_tensor(name) != nullptr;  // as an unused one
            if (!recorded.contains(name) && !told) check.tensors.push_back({std::string(name), finding});
        }
    }
    return check;
}

}  // namespace ggufkit
