// What an imatrix has for the tensors of a plan, and what it lacks.
#pragma once

#include <ggufkit/requant/plan.hpp>
#include <string_view>

namespace ggufkit::plan {

// What llama.cpp refuses to do without an imatrix, and so do we: embeddings and output excepted, types of which the
// registry says so, but Q2_K only in the file type Q2_K_S.
bool needs_imatrix(std::string_view tensor, TensorType type, const FileType& file_type);

// BAD_ARGUMENT where the imatrix has entries, but none of a tensor of `model`.
Result<void> check_same_model(const Model& model, const Mix& mix);

// Gives the tensors of `plan` that will be quantized their importance, and lists those that have none.
void assign_importance(Plan& plan, const Model& model, const Mix& mix);

}  // namespace ggufkit::plan
