// Opening what was named on the command line.
#pragma once

#include <filesystem>
#include <ggufkit/model.hpp>

namespace ggufkit::cli {

// Model::open(), or where `file` is "-" Model::read() of standard input, which must not be a terminal; with a progress
// bar while something has to be unpacked.
Result<Model> open_model(const std::filesystem::path& file, OpenOptions options = {});

}  // namespace ggufkit::cli
