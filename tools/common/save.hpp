// Files that a tool writes beside models: reports and pages.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <string_view>

namespace ggufkit::cli {

// Complete or not at all, and never over a file of `model`. Errors: those of io::OutputFile; IO_EXISTS where there is such
// a file and it may not be replaced.
Result<void> save(const std::filesystem::path& path, std::string_view text, const Model& model, bool overwrite);

// What can be known before the work: IO_OPEN where the folder is missing or something else than a file has the name, IO_EXISTS
// where there is such a file and it may not be replaced.
Result<void> check_place(const std::filesystem::path& path, bool overwrite);

}  // namespace ggufkit::cli
