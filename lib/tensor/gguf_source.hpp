// Tensors as a GGUF file has them.
#pragma once

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <memory>
#include <span>

#include "tensor/reader.hpp"

namespace ggufkit::tensor {

// Brings all of the tensor's data here, or the given ranges. Errors: as from Model::data().
Result<std::shared_ptr<const Source>> open_gguf(const Model& model, const ModelTensor& tensor, Via via,
                                                std::span<const Range> ranges);

}  // namespace ggufkit::tensor
