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

// What of these errors can be known before the work; of the model's files only where it is given.
Result<void> check_place(const std::filesystem::path& path, bool overwrite, const Model* model = nullptr);

}  // namespace ggufkit::cli
