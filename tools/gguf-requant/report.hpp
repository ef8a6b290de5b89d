// --report: what the work cost in quality, as a file for programs or for a browser.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/plan.hpp>
#include <ggufkit/report.hpp>
#include <span>
#include <string>
#include <string_view>

#include "arguments.hpp"

namespace ggufkit::requant {

// What was done, and what came of it.
struct Outcome {
    const Request& request;
    const Plan& plan;
    const QualityReport& quality;
    double seconds;
    std::string tool;  // "gguf-requant 0.1.0"
};

// The document of spec/json.md, and the page that draws it.
std::string report_json(const Outcome& outcome);
std::string report_html(const Outcome& outcome);

// Whether reports can be written to these paths when the work is done: each ends with .json or .html, and they are
// different files, not the output. BAD_ARGUMENT says which does not.
Result<void> check_report_names(std::span<const std::string> paths, const std::filesystem::path& output);

// What can be known before the work: IO_OPEN where the folder of a report is missing, IO_EXISTS where there is such a
// file and it may not be replaced.
Result<void> check_report_places(std::span<const std::string> paths, bool overwrite);

// Writes them, each complete or not at all. Errors: those of io::OutputFile.
Result<void> write_reports(std::span<const std::string> paths, const Outcome& outcome, const Model& model,
                           bool overwrite);

}  // namespace ggufkit::requant
