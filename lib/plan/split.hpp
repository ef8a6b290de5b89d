// The files of an output, and the tensors of each.
#pragma once

#include <cstddef>
#include <ggufkit/requant/plan.hpp>
#include <span>
#include <vector>

#include "plan/choose.hpp"

namespace ggufkit::plan {

struct Files {
    std::vector<Layout> layouts;
    std::vector<std::size_t> tensors;  // of each file: how many of `whole`, one after another
};

// Lays out the tensors of `whole`, which are those of `choices`. Of several files the first has the metadata, and each says
// its place, by the rules of llama-gguf-split. Errors: BAD_ARGUMENT (more files than can be numbered), those of
// make_layout().
Result<Files> lay_out(const Header& whole, const Model& model, std::span<const Choice> choices, const Split& split);

}  // namespace ggufkit::plan
