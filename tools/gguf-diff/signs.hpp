// What lines of a comparison begin with, and how changes are written.
#pragma once

#include <fmt/format.h>

#include <string>

#include "common/table.hpp"

namespace ggufkit::diff {

inline cli::Cell sign(bool in_a, bool in_b) {
    if (!in_b) return {"-", cli::Style::red};
    if (!in_a) return {"+", cli::Style::green};
    return {"~", cli::Style::yellow};
}

inline std::string arrow(const std::string& a, const std::string& b) {
    return a == b ? a : fmt::format("{} → {}", a, b);
}

}  // namespace ggufkit::diff
