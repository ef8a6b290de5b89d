#include "several.hpp"

#include <filesystem>
#include <ggufkit/remote.hpp>
#include <set>
#include <system_error>

#include "common/json.hpp"
#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "inspection.hpp"
#include "tally.hpp"
#include "views.hpp"

namespace ggufkit::tool::info {

namespace {

std::filesystem::path place(const std::filesystem::path& file) {
    std::error_code unknown;
    return std::filesystem::absolute(file, unknown).lexically_normal();
}

// "Q4_K_M"; of what is no model, what it is: "imatrix".
std::string type_of(const ModelView& view) {
    std::string kind = printable(view.get_string("general.type").value_or("model"));
    if (kind != "model") return kind;
    const auto id = view.get_unsigned("general.file_type");
    return id ? file_type_text(*id) : "";
}

Cell problems(const Inspection& inspection) {
    const std::size_t errors = inspection.count(Severity::error), warnings = inspection.count(Severity::warning);
    if (!inspection.model) return {sentence(inspection.diagnostics.front().error), Style::red};
    if (!inspection.faults.empty()) return {sentence(inspection.faults.front()), Style::red};
    if (errors + warnings == 0) return {"none", Style::green};
    std::string text = errors == 0 ? "" : counted(errors, "error");
    if (warnings != 0) text += (errors == 0 ? "" : ", ") + counted(warnings, "warning");
    return {text, errors == 0 ? Style::yellow : Style::red};
}

std::vector<Cell> row(const Inspection& inspection) {
    const std::string name = printable(shown(inspection.path));
    if (!inspection.model) return {name, "", "", "", "", "", problems(inspection)};
    const ModelView& view = inspection.model->header();
    const bool whole = inspection.faults.empty() && inspection.model->complete();
    Tally all;
    for (const auto& [type, tally] : count_types(*inspection.model)) all.add(tally);
    return {name,
            printable(view.get_string("general.architecture").value_or("")),
            all.tensors == 0 || !whole ? "" : human_count(all.elements),
            type_of(view),
            all.sized == 0 || !whole ? "" : fmt::format("{:.2f}", all.bpw()),
            human_bytes(inspection.file_bytes()),
            problems(inspection)};
}

// Looks at each file but those that are shards of a model before them.
template <class Show>
bool each_model(std::span<const std::string> files, const ValidateOptions& rules, const Several& how,
                const Show& show) {
    std::set<std::filesystem::path> shards;
    bool readable = true;
    for (const std::string& file : files) {
        if (!is_remote(file) && shards.contains(place(file))) continue;
        const Inspection inspection = inspect(file, rules, !how.check);
        readable = readable && inspection.model && inspection.faults.empty() && (!how.check || inspection.valid());
        if (inspection.model && inspection.model->shard_count() > 1) {
            for (std::size_t i = 0; i < inspection.model->shard_count(); ++i)
                shards.insert(place(inspection.model->shard_path(i)));
        }
        show(inspection);
    }
    return readable;
}

}  // namespace

bool print_several(Console& console, std::span<const std::string> files, const ValidateOptions& rules,
                   const Several& how) {
    if (how.json) {
        JsonWriter json(console.out);
        json.begin_array();
        const bool readable =
            each_model(files, rules, how, [&](const Inspection& inspection) { write_file(json, inspection); });
        json.end_array().finish();
        return readable;
    }
    Table table({{.title = "FILE", .cut = Cut::middle},
                 {.title = "ARCHITECTURE"},
                 {.title = "WEIGHTS", .right = true},
                 {.title = "TYPE"},
                 {.title = "BPW", .right = true},
                 {.title = "SIZE", .right = true},
                 {.title = "PROBLEMS", .cut = Cut::end}});
    const bool readable =
        each_model(files, rules, how, [&](const Inspection& inspection) { table.add(row(inspection)); });
    table.print(console, console.width());
    return readable;
}

}  // namespace ggufkit::tool::info
