// The shapes of well-known families of models, without data.
#pragma once

#include <functional>
#include <string_view>
#include <vector>

#include "support/header_model.hpp"

namespace ggufkit::test {

struct Shape {
    std::string_view name;  // "llama-3-8b"
    std::function<HeaderModel(TensorType weights)> make;
    bool reference_aborts = false;  // llama.cpp asks for heads that the model has not, in most file types
};

// One for every fork in the recipes: heads, experts, tied embeddings, fused attention, odd widths, other families.
const std::vector<Shape>& shapes();
HeaderModel make_shape(std::string_view name, TensorType weights = TensorType::F16);

}  // namespace ggufkit::test
