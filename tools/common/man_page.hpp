// The manual page of a tool, for man(1).
#pragma once

#include <string>

#include "common/manual.hpp"

namespace ggufkit::tool {

// Section 1, in the man macros. `version`: "gguf-info 0.1.0".
std::string man_page(const Manual& manual, const std::vector<Flag>& flags, std::string_view version);

}  // namespace ggufkit::tool
