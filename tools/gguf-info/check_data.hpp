// --check-data.
#pragma once

#include "common/console.hpp"
#include "inspection.hpp"

namespace ggufkit::tool::info {

// Adds what is wrong with tensor data to what is known of the header. 0, or the exit code where the data could not be
// looked at, with a message. Tensors that overlap are read once: what is wrong with them is known.
int check_data(Console& console, Inspection& inspection, const ValidateOptions& rules, unsigned threads);

}  // namespace ggufkit::tool::info
