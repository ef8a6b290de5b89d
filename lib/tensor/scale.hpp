// Factors that a model keeps beside a tensor: NAME.scale has one number for all of NAME.weight, or one for each of its
// matrices. What the model multiplies with is the weights times their factor. Files of NVFP4 have such tensors.
#pragma once

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <vector>

namespace ggufkit::tensor {

// The tensor with the factors of `tensor`, or null.
const ModelTensor* find_scale(const Model& model, const ModelTensor& tensor);

// Whether `tensor` holds the factors of another one.
bool is_scale(const Model& model, const ModelTensor& tensor);

// One factor for each matrix of `tensor`; none where there is no such tensor. Errors: as from Model::data().
Result<std::vector<float>> read_factors(const Model& model, const ModelTensor& tensor);

}  // namespace ggufkit::tensor
