// A plan, and what became of it, for people and for programs.
#pragma once

#include <ggufkit/requant/execute.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "arguments.hpp"
#include "common/console.hpp"

namespace ggufkit::tool::requant {

void print_types(Console& console);

// --dry-run: every tensor, then the size of the file.
void print_plan(Console& console, const Request& request, const ggufkit::Output& output);

// What was done, in a few lines.
void print_summary(Console& console, const Request& request, std::span<const ggufkit::Output> outputs, double seconds);

// What the imatrix lacks, on standard error, in one line a reason: with the first names, and how to go on where tensors
// cannot do without. Returns whether there are such, so that check_executable() refuses the plan.
bool report_gaps(const Console& console, const Plan& plan);

// notes_of() the plans, a line each on standard error; what is the same of several outputs once.
void report_notes(const Console& console, std::span<const ggufkit::Output> outputs);

// Tensors whose values are too large for their types, all of them, on standard error. `written`: what became of the output.
void report_misfits(const Console& console, const Plan& plan, std::span<const Misfit> misfits,
                    std::string_view written);

// Patterns of --tensor-type and its like that change nothing, on standard error.
void report_unused(const Console& console, const Plan& plan);

// What the edits of the metadata come to, and that nothing is converted where a type was asked for, on standard error.
void report_edits(const Console& console, const Plan& plan);
void report_all_copied(const Console& console, const Model& model, const Plan& plan);

// spec/json.md; one document for each output. `seconds`: what the work took, where it was done. `problem`: why the plan cannot be carried out.
// `misfits` are those of the plan, where they were looked for.
void print_json(Console& console, const Request& request, const ggufkit::Output& output, std::optional<double> seconds,
                const std::optional<Error>& problem, std::span<const Misfit> misfits = {});

}  // namespace ggufkit::tool::requant
