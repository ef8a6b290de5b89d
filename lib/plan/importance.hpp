// What an imatrix has for the tensors of a plan, and what it lacks.
#pragma once

#include <ggufkit/plan.hpp>

namespace ggufkit::plan {

// BAD_ARGUMENT where the imatrix has entries, but none of a tensor of `model`.
Result<void> check_same_model(const Model& model, const Recipe& recipe);

// Gives the tensors of `plan` that will be quantized their importance, and lists those that have none.
void assign_importance(Plan& plan, const Model& model, const Recipe& recipe);

}  // namespace ggufkit::plan
