// Which type every tensor of a model gets: the interpreter of the rule table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <ggufkit/plan.hpp>

namespace ggufkit::plan {

struct Choice {
    const TensorInfo* tensor;
    std::size_t source;   // index into Model::tensors()
    std::uint64_t bytes;  // of the source
    TensorType type;
    std::string reason;
    bool free = false;  // the file type decided
};

// In the output's order: by block number, then by name; tensors of no block come first.
Result<std::vector<Choice>> choose_types(const Model& model, const Recipe& recipe);

}  // namespace ggufkit::plan
