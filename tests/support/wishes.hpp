// Command lines of llama-quantize, as llama-oracle takes their flags, and as our recipes.
#pragma once

#include <functional>
#include <ggufkit/requant/plan.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/mix_text.hpp"

namespace ggufkit::test {

struct Wish {
    std::string_view file_type;        // "Q4_K_M"; "COPY" with the option copy
    std::vector<std::string> options;  // of llama-oracle: "output=8", "prune=1,3"; "imatrix=ones"

    std::string text() const;  // "Q4_K_M output=8"
    std::string file_type_id() const;
};

// The same wish as a recipe. `imatrix` is borrowed, and used where the wish has one; what the wish includes or excludes
// of it is the caller's to do.
Recipe recipe_of(const Wish& wish, const Imatrix& imatrix);

// Wishes that fork in the code, for a model of this architecture with seven layers or more.
std::vector<Wish> wishes(std::string_view architecture);

// The shapes (see header_model.hpp) that wishes are tried on.
const std::vector<std::string_view>& wish_shapes();

// A line for each wish and what becomes of it.
std::string wishes_text(std::string_view architecture, const std::function<ChosenTypes(const Wish&)>& choose);

// The golden file of what llama.cpp makes of the wishes, a line for each.
std::string wishes_path(std::string_view shape);

}  // namespace ggufkit::test
