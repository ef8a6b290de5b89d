#include "inspection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/open.hpp"
#include "common/show.hpp"
#include "container/rules.hpp"

namespace ggufkit::tool::info {

namespace {

Error in_shard(const Model& model, std::size_t shard, Error error) {
    if (model.shard_count() > 1)
        error.subject = fmt::format("{}: {}", model.shard_path(shard).filename().string(), error.subject);
    return error;
}

std::vector<Diagnostic> check_shard(const Model& model, std::size_t shard, const ValidateOptions& options) {
    std::vector<Diagnostic> found = validate(model.shard(shard), options).diagnostics;
    if (model.shard_number(shard) == 0) {  // which has the metadata
        Report semantics = check_semantics(model.header());
        std::ranges::move(semantics.diagnostics, std::back_inserter(found));
    }
    std::ranges::stable_sort(found, {}, [](const Diagnostic& d) { return d.error.offset.value_or(0); });
    for (Diagnostic& d : found) d.error = in_shard(model, shard, std::move(d.error));
    return found;
}

// Whether the content of a file is at fault. Other errors (a full disk, a server that does not answer) say nothing about a
// file's validity.
bool is_fault_of_file(Errc code) { return code <= Errc::bad_patch; }

}  // namespace

std::size_t Inspection::count(Severity severity) const {
    return static_cast<std::size_t>(std::ranges::count(diagnostics, severity, &Diagnostic::severity));
}

bool Inspection::unknown() const {
    return !valid() && std::ranges::none_of(diagnostics, [](const Diagnostic& diagnostic) {
        return diagnostic.severity == Severity::error && is_fault_of_file(diagnostic.error.code);
    });
}

std::uint64_t Inspection::file_bytes() const {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; model && i < model->shard_count(); ++i) bytes += model->shard(i).file().size();
    return bytes;
}

Inspection inspect(const std::filesystem::path& path, const ValidateOptions& options, bool header_only) {
    Inspection inspection{.path = path};
    const bool from_pipe = comes_once(path);  // which has no siblings
    auto model = open_model(
        path, {.check_structure = false, .follow_shards = !from_pipe, .partial = true, .header_only = header_only});
    if (!model) {
        inspection.diagnostics.push_back({Severity::error, std::move(model).error()});
        return inspection;
    }
    for (const Error& fault : model->faults()) {
        inspection.diagnostics.push_back({Severity::error, fault});
        inspection.faults.push_back(fault);
    }
    for (std::size_t i = 0; i < model->shard_count(); ++i) {
        std::ranges::move(check_shard(*model, i, options), std::back_inserter(inspection.diagnostics));
        for (const Error& fault : model->shard(i).faults()) inspection.faults.push_back(in_shard(*model, i, fault));
    }
    // Shards behind the first one are hidden.
    for (const Diagnostic& found : inspection.diagnostics) {
        if (found.error.rule == container::rule(container::R::shards_apart).id)
            inspection.faults.push_back(found.error);
    }
    inspection.model = std::move(*model);
    return inspection;
}

}  // namespace ggufkit::tool::info
