// What the output says of itself: the metadata, and the tensors as they were chosen.
#pragma once

#include <cstdint>
#include <ggufkit/requant/plan.hpp>
#include <span>
#include <string>
#include <vector>

#include "plan/choose.hpp"
#include "plan/prune.hpp"

namespace ggufkit::plan {

// Whose general.file_type and general.quantization_version the output has: the source's where nothing is converted.
enum class Label : std::uint8_t { of_recipe, of_source };

struct Metadata {
    Header header;                   // without tensors; borrows from the model
    std::vector<std::string> notes;  // edits that change nothing, or a key's type
};

// The source's metadata with the recipe's edits. BAD_ARGUMENT names a key that cannot be set, or not to that value.
Result<Metadata> edit_metadata(const Model& model, const Recipe& recipe, Label label);

// Adds what says where the output comes from, what pruning changes, and the tensors. Errors: those of Pruning::adjust();
// BAD_ARGUMENT for a provenance of another model.
Result<void> complete(Header& header, const Model& model, const Recipe& recipe, const ModelFacts& facts,
                      const Pruning& pruning, std::span<const Choice> choices);

// Checks the metadata of the whole output against itself, as far as the recipe edits it. BAD_ARGUMENT names a key that
// --override-kv gives a value of the wrong kind; what else is wrong with edited keys is added to `notes`.
Result<void> check_edits(const Layout& layout, const Recipe& recipe, std::vector<std::string>& notes);

// BAD_ARGUMENT where the recipe sets an alignment whose padding exceeds the data.
Result<void> check_padding(std::span<const Layout> files, const Recipe& recipe);

}  // namespace ggufkit::plan
