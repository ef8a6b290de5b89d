// Places of files: outputs, reports and recipes.
#pragma once

#include <filesystem>

namespace ggufkit::tool::requant {

// Whether two names mean one file, which need not be there: written in another way, or links.
bool same_file(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace ggufkit::tool::requant
