// What an imatrix has for the tensors of a plan, and what it lacks.
#pragma once

#include <ggufkit/plan.hpp>

namespace ggufkit::plan {

// Gives the tensors of `plan` that will be quantized their importance, and lists those that have none.
void assign_importance(Plan& plan, const Recipe& recipe);

}  // namespace ggufkit::plan
