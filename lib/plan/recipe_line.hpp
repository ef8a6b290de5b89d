// Lines of recipe files.
#pragma once

#include <ggufkit/requant/plan.hpp>
#include <string>
#include <string_view>

namespace ggufkit::plan {

// "REGEX=TYPE\n", or with a comment, made printable, "REGEX=TYPE  # comment\n".
std::string recipe_line(const TypeOverride& row, std::string_view comment = {});

// "file_type = Q4_K_M\n".
std::string recipe_line(const FileType& file_type);

}  // namespace ggufkit::plan
