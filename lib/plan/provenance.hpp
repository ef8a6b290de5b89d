// The keys that say what a file was made from.
#pragma once

#include <ggufkit/requant/plan.hpp>
#include <ggufkit/writer.hpp>

namespace ggufkit::plan {

// Takes out what the source says of itself, which is not true of what is made of it, and puts in what the recipe asks
// for. BAD_ARGUMENT where it has not one digest for each tensor of the model.
Result<void> describe_provenance(Header& header, const Model& model, const Recipe& recipe);

}  // namespace ggufkit::plan
