// What the output says of itself: the metadata, and the tensors as they were chosen.
#pragma once

#include <ggufkit/plan.hpp>
#include <span>

#include "plan/choose.hpp"
#include "plan/prune.hpp"

namespace ggufkit::plan {

// Of the whole output, however many files it goes into; borrows from the model. BAD_ARGUMENT where an override is of a
// key that only the files can know.
Result<Header> make_header(const Model& model, const Recipe& recipe, const ModelFacts& facts, const Pruning& pruning,
                           std::span<const Choice> choices);

}  // namespace ggufkit::plan
