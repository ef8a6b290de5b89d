#include "inspection.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "common/open.hpp"
#include "common/show.hpp"

namespace ggufkit::info {

namespace {

// The whole model, or where its other shards are at fault the one file that was named.
std::optional<Model> open_leniently(const std::filesystem::path& path, bool header_only,
                                    std::vector<Diagnostic>& diagnostics) {
    OpenOptions options{.check_structure = false, .header_only = header_only};
    for (const bool follow_shards : {true, false}) {
        if (follow_shards && path == "-") continue;  // what comes from a pipe has no siblings, and comes once
        options.follow_shards = follow_shards;
        auto model = cli::open_model(path, options);
        if (model) return std::move(*model);
        // What is wrong with the file itself is so without the others, and a server need not be asked twice.
        const bool alone = model.error().code != Errc::bad_split && model.error().subject == cli::shown(path);
        if (follow_shards || path == "-") diagnostics.push_back({Severity::error, std::move(model).error()});
        if (alone) break;
    }
    return std::nullopt;
}

std::vector<Diagnostic> check_shard(const Model& model, std::size_t shard, const ValidateOptions& options) {
    std::vector<Diagnostic> found = validate(model.shard(shard), options).diagnostics;
    if (shard == 0) {
        Report semantics = check_semantics(model.header());
        std::ranges::move(semantics.diagnostics, std::back_inserter(found));
    }
    std::ranges::stable_sort(found, {}, [](const Diagnostic& d) { return d.error.offset.value_or(0); });
    if (model.shard_count() > 1) {
        const std::string file = model.shard_path(shard).filename().string();
        for (Diagnostic& d : found) d.error.subject = fmt::format("{}: {}", file, d.error.subject);
    }
    return found;
}

}  // namespace

std::size_t Inspection::count(Severity severity) const {
    return static_cast<std::size_t>(std::ranges::count(diagnostics, severity, &Diagnostic::severity));
}

std::uint64_t Inspection::file_bytes() const {
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; model && i < model->shard_count(); ++i) bytes += model->shard(i).file().size();
    return bytes;
}

Inspection inspect(const std::filesystem::path& path, const ValidateOptions& options, bool header_only) {
    Inspection inspection{.path = path};
    inspection.model = open_leniently(path, header_only, inspection.diagnostics);
    for (std::size_t i = 0; inspection.model && i < inspection.model->shard_count(); ++i) {
        std::ranges::move(check_shard(*inspection.model, i, options), std::back_inserter(inspection.diagnostics));
    }
    return inspection;
}

}  // namespace ggufkit::info
