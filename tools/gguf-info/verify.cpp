#include "verify.hpp"

#include <ggufkit/remote.hpp>

#include "common/json.hpp"
#include "common/open.hpp"
#include "common/progress.hpp"
#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "manifest.hpp"

namespace ggufkit::tool::info {

namespace {

using Finding = ProvenanceCheck::Finding;

std::string_view explain(Finding finding) {
    switch (finding) {
        case Finding::same: return "the same";
        case Finding::differs: return "another tensor of that name in the source";
        case Finding::missing: return "not in the source";
        case Finding::unused: return "in the source, but the file was not made from it";
        case Finding::unrecorded: return "in the file, which does not say what it was made from";
    }
    return {};
}

void print_check(Console& console, const Pair& paths, const ProvenanceCheck& check) {
    Table table({{.style = Style::red}, {.cut = Cut::middle}, {.style = Style::dim}});
    for (const auto& [tensor, finding] : check.tensors) {
        if (finding != Finding::same) table.add({name(finding), printable(tensor), explain(finding)});
    }
    table.print(console, console.width());
    if (!table.empty()) console.out.write("\n");
    const std::string made = printable(shown_name(paths.made.string()));
    const std::string source = printable(shown_name(paths.source.string()));
    if (check.holds()) {
        console.out.print("{}: {} from {}: {}, each the same\n", made, console.paint(Style::green, "made"), source,
                          counted(check.tensors.size(), "tensor"));
    } else {
        console.out.print("{}: {} from {}: {} of {} the same\n", made, console.paint(Style::red, "not made"), source,
                          grouped(check.count(Finding::same)), counted(check.tensors.size(), "tensor"));
    }
}

void print_json(Console& console, const Pair& paths, const ProvenanceCheck& check) {
    JsonWriter json(console.out);
    json.begin_object()
        .field("file", shown_name(paths.made.string()))
        .field("source", shown_name(paths.source.string()))
        .field("holds", check.holds())
        .field("tool", check.tool)
        .field("recipe", check.recipe);
    json.key("tensors").begin_array();
    for (const auto& [tensor, finding] : check.tensors) {
        json.begin_object().field("name", tensor).field("finding", name(finding)).end_object();
    }
    json.end_array().end_object().finish();
}

}  // namespace

int verify(Console& console, const Pair& paths, unsigned threads, bool as_json) {
    const auto refuse = [&](const std::filesystem::path& file, const Error& error) {
        console.error(sentence(file, error));
        return 1;
    };
    if (const auto manifest = load_manifest(paths.source)) {
        return verify_manifest(console, paths.made, paths.source, *manifest, threads, as_json);
    }
    // Of the file that was made, its metadata is what counts.
    const auto made = open_model(paths.made, {.header_only = is_remote(paths.made.string())});
    if (!made) return refuse(paths.made, made.error());
    const auto source = open_model(paths.source);
    if (!source) return refuse(paths.source, source.error());
    const auto check = [&] {
        ProgressBar bar;
        const auto progress = [&](const Progress& now) { bar.update(now); };
        return check_provenance(*made, *source, {.threads = threads, .progress = progress});
    }();
    if (!check) {
        const bool about_made = check.error().code == Errc::not_found || check.error().code == Errc::bad_semantics;
        return refuse(about_made ? paths.made : paths.source, check.error());
    }
    if (as_json) {
        print_json(console, paths, *check);
    } else {
        print_check(console, paths, *check);
    }
    return check->holds() ? 0 : 1;
}

}  // namespace ggufkit::tool::info
