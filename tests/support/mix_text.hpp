// What every file type makes of a model, as a text short enough to commit and to read:
//
//   quantized: attn_k[*] … ffn_up[*] output token_embd
//   Q4_K_M           Q4_K; Q6_K: output attn_v[0-3,6,9] ffn_down[0-3,6,9]
//
// The first line names the tensors that BF16 converts: the weights. A file type's line gives the type of most weights,
// then the exceptions; tensors that are no weights are named only where they do not keep their type. "attn_v[0-3]" is
// blk.0.attn_v.weight and so on, [*] all there are. A second line, "Q4_0+imatrix", stands where an imatrix makes a
// difference.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <ggufkit/requant/plan.hpp>
#include <ggufkit/writer.hpp>

namespace ggufkit::test {

// Tensor names and types in the order of the output; nothing where the file type was refused.
using ChosenTypes = std::optional<std::vector<std::pair<std::string, TensorType>>>;
using ChooseTypes = std::function<ChosenTypes(const FileType& file_type, bool imatrix)>;

std::string mix_text(const Header& source, const ChooseTypes& choose);

// Every tensor of one choice, by type: "Q4_K; F32: attn_norm[*] output_norm; Q6_K: …". The most common type comes first,
// without its tensors.
std::string types_text(const ChosenTypes& chosen);

// What a plan gives every tensor.
ChosenTypes types_of(const Plan& plan);

// The types of make_plan(). Borrows the model.
ChooseTypes planned_types(const Model& model);

// The golden file of what llama.cpp chooses for a shape, with F16 weights.
std::string mix_path(std::string_view shape);

}  // namespace ggufkit::test
