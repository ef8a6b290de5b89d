// Which type every tensor of a model gets: the interpreter of the rule table.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include <ggufkit/requant/plan.hpp>

#include "plan/facts.hpp"
#include "plan/overrides.hpp"
#include "plan/prune.hpp"

namespace ggufkit::plan {

struct Choice {
    const TensorInfo* tensor;
    std::string name;     // in the output
    std::size_t source;   // index into Model::tensors()
    std::uint64_t bytes;  // of the source
    TensorType type;
    std::string reason;
    Chooser chooser = Chooser::none;
    std::optional<TensorType> wanted{};  // where the rows do not allow it

    bool converts() const { return tensor->format->type() != type; }
};

// In the output's order: by block number, then by name; tensors of no block come first. Where the split of the source is
// kept, in that of the source. `overrides` are those of the recipe. Errors: those of Overrides::find() and
// TensorInfo::bytes(), CANCELLED.
Result<std::vector<Choice>> choose_types(const Model& model, const Recipe& recipe, const Overrides& overrides,
                                         const ModelFacts& facts, const Pruning& pruning,
                                         const std::stop_token& stop = {});

}  // namespace ggufkit::plan
