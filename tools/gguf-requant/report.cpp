#include "report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/save.hpp"
#include "place.hpp"

namespace ggufkit::tool::requant {

namespace fs = std::filesystem;

namespace {

struct Kind {
    std::string_view ending;
    std::string (*make)(const Outcome&);
};
constexpr Kind kinds[] = {{".json", report_json}, {".html", report_html}};

const Kind* kind_of(const fs::path& path) {
    if (is_standard_output(path)) return kinds;
    const auto* const kind = std::ranges::find(kinds, path.extension().string(), &Kind::ending);
    return kind == std::end(kinds) ? nullptr : kind;
}

// "r.html" of "m4.gguf" to "r-m4.html".
fs::path name_of(const fs::path& report, const fs::path& output) {
    fs::path name = report.stem();
    name += "-";
    name += output.stem();
    name += report.extension();
    return report.parent_path() / name;
}

}  // namespace

Result<std::vector<ReportFile>> report_files(std::span<const std::string> names, const Request& request, bool dry_run) {
    const auto misuse = [](const fs::path& path, std::string_view detail) {
        return fail({.code = Errc::bad_argument, .detail = fmt::format("--report {}: {}", path.string(), detail)});
    };
    std::vector<ReportFile> files;
    for (const fs::path name : names) {
        if (kind_of(name) == nullptr) return misuse(name, "the name ends with neither .json nor .html");
        if (is_standard_output(name) && request.outputs.size() > 1) {
            return misuse(name, "standard output takes one report, but there are several outputs");
        }
        if (dry_run) return misuse(name, "a dry run has no quality to report");
        for (std::size_t i = 0; i < request.outputs.size(); ++i) {
            files.push_back({request.outputs.size() == 1 ? name : name_of(name, request.outputs[i].path), i});
        }
    }
    for (std::size_t i = 0; i < files.size(); ++i) {
        const fs::path& path = files[i].path;
        const auto is_path = [&](const auto& other) { return same_file(path, other.path); };
        if (std::ranges::any_of(request.outputs, is_path)) return misuse(path, "this is the output");
        if (std::ranges::any_of(std::span(files).first(i), is_path)) return misuse(path, "it would be written twice");
    }
    return files;
}

std::string report_text(const fs::path& path, const Outcome& outcome) { return kind_of(path)->make(outcome); }

}  // namespace ggufkit::tool::requant
