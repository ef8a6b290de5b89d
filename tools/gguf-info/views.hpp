// The ways to look at an inspected file.
#pragma once

#include "common/console.hpp"
#include "inspection.hpp"

namespace ggufkit::info {

// What the model is, on one screen of 80 by 24.
void print_summary(cli::Console& console, const Inspection& inspection);

// One line a key, a tensor, a finding.
void print_metadata(cli::Console& console, const Model& model);
void print_tensors(cli::Console& console, const Model& model);
void print_diagnostics(cli::Console& console, const Inspection& inspection, Profile profile);

// All of it for programs: spec/json.md.
void print_json(cli::Console& console, const Inspection& inspection);

}  // namespace ggufkit::info
