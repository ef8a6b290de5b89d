// Opening what was named on the command line.
#pragma once

#include <filesystem>
#include <ggufkit/model.hpp>

namespace ggufkit::cli {

// Model::open(); where `file` is a URL or hf:…, Model::fetch(); where it is "-", Model::read() of standard input, which must
// not be a terminal. With a progress bar while something has to be unpacked or fetched.
Result<Model> open_model(const std::filesystem::path& file, OpenOptions options = {});

}  // namespace ggufkit::cli
