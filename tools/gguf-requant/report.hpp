// --report: what the work cost in quality, as a file for programs or for a browser.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/report.hpp>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arguments.hpp"

namespace ggufkit::tool::requant {

// What was done, and what came of it.
struct Outcome {
    const std::filesystem::path& input;
    const ggufkit::Output& output;
    const QualityReport& quality;
    double seconds;
    std::string tool;  // "gguf-requant 0.1.0"
};

// The document of spec/json.md, and the page that draws it.
std::string report_json(const Outcome& outcome);
std::string report_html(const Outcome& outcome);

struct ReportFile {
    std::filesystem::path path;
    std::size_t output;  // index in Request::outputs
};

// The files that --report NAME... asks for: NAME itself where there is one output; of several, one each, with the stem
// of the output's name put into NAME. BAD_ARGUMENT where one does not end with .json or .html, is asked for twice or is an
// output; or where nothing will be done that it could tell of.
Result<std::vector<ReportFile>> report_files(std::span<const std::string> names, const Request& request, bool dry_run);

// The text of the kind that the name ends with.
std::string report_text(const std::filesystem::path& path, const Outcome& outcome);

}  // namespace ggufkit::tool::requant
