// A plan, and what became of it, for people and for programs.
#pragma once

#include <ggufkit/requant.hpp>
#include <optional>
#include <span>

#include "arguments.hpp"
#include "common/console.hpp"

namespace ggufkit::requant {

void print_types(cli::Console& console);

// --dry-run: every tensor, then the size of the file.
void print_plan(cli::Console& console, const Request& request, const Output& output);

// What was done, in a few lines.
void print_summary(cli::Console& console, const Request& request, std::span<const Output> outputs, double seconds);

// What the imatrix lacks, on standard error: each tensor that cannot do without, and the others in a line a reason.
void report_gaps(const cli::Console& console, const Plan& plan);

// Patterns of --tensor-type and its like that change nothing, on standard error.
void report_unused(const cli::Console& console, const Plan& plan);

// spec/json.md; one document for each output. `seconds`: what the work took, where it was done. `problem`: why the plan cannot be carried out.
void print_json(cli::Console& console, const Request& request, const Output& output, std::optional<double> seconds,
                const std::optional<Error>& problem);

}  // namespace ggufkit::requant
