// --html: a Comparison, or a Duel, for a browser.
#pragma once

#include <string>

#include "comparison.hpp"
#include "duel.hpp"

namespace ggufkit::tool::diff {

// The text of the page.
std::string page(const Comparison& comparison);
std::string page(const Duel& duel);

}  // namespace ggufkit::tool::diff
