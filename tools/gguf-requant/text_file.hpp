// Small files beside the outputs: reports and recipes.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <string_view>

namespace ggufkit::requant {

// The same name, written in another way or not; the files need not be there.
bool same_name(const std::filesystem::path& a, const std::filesystem::path& b);

// What can be known before the work: IO_OPEN where the folder is missing, IO_EXISTS where there is such a file and it may not
// be replaced.
Result<void> check_place(const std::filesystem::path& path, bool overwrite);

// Complete or not at all, and never over a file of `model`. Errors: those of io::OutputFile.
Result<void> write_text(const std::filesystem::path& path, std::string_view text, const Model& model, bool overwrite);

}  // namespace ggufkit::requant
