// What lines of a comparison begin with, and how changes are written.
#pragma once

#include <fmt/format.h>

#include <string>

#include "common/table.hpp"

namespace ggufkit::tool::diff {

inline Cell sign(bool in_a, bool in_b) {
    if (!in_b) return {"-", Style::red};
    if (!in_a) return {"+", Style::green};
    return {"~", Style::yellow};
}

inline std::string arrow(const std::string& a, const std::string& b) {
    return a == b ? a : fmt::format("{} → {}", a, b);
}

}  // namespace ggufkit::tool::diff
