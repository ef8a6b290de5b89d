// Places of small files beside the outputs: reports and recipes.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>

namespace ggufkit::requant {

// The same name, written in another way or not; the files need not be there.
bool same_name(const std::filesystem::path& a, const std::filesystem::path& b);

// What can be known before the work: IO_OPEN where the folder is missing, IO_EXISTS where there is such a file and it may not
// be replaced.
Result<void> check_place(const std::filesystem::path& path, bool overwrite);

}  // namespace ggufkit::requant
