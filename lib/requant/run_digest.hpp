// Tells one run from another: a digest of all that the bytes of its outputs depend on.
#pragma once

#include <ggufkit/model.hpp>
#include <string>

#include "requant/assembly.hpp"

namespace ggufkit::requant {

// 32 hexadecimal digits: of this library's version; of the inputs, by their headers, sizes and the times of
// their last write and their last change; of the plans, importance included; of how the tensors are cut into
// pieces.
std::string run_digest(const Model& model, const Assembly& assembly);

}  // namespace ggufkit::requant
