// Places of files: outputs, reports and recipes.
#pragma once

#include <filesystem>

namespace ggufkit::requant {

// The same name, written in another way or not; the files need not be there.
bool same_name(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace ggufkit::requant
