// --html: a Comparison for a browser.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>

#include "comparison.hpp"

namespace ggufkit::diff {

// Before the work: IO_EXISTS where there is such a file and it may not be replaced.
Result<void> check_page_place(const std::filesystem::path& path, bool overwrite);

// Complete or not at all, and never over a file of one of the models. Errors: those of io::OutputFile.
Result<void> write_page(const std::filesystem::path& path, const Comparison& comparison, const Model& a, const Model& b,
                        bool overwrite);

}  // namespace ggufkit::diff
