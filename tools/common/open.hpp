// Opening what was named on the command line.
#pragma once

#include <filesystem>
#include <ggufkit/model.hpp>

namespace ggufkit::tool {

// Whether `file` is "-" or a FIFO, as <(command) is: its content comes once, and no other files lie beside it.
bool comes_once(const std::filesystem::path& file);

// Model::open(); where `file` is a URL or hf:…, Model::fetch(); where it is "-", Model::read() of standard input, which must
// not be a terminal; where it is a FIFO, Model::read() of that. Where there is no such file, the error names one that may be
// meant. With a progress bar while something has to be unpacked or fetched.
Result<Model> open_model(const std::filesystem::path& file, OpenOptions options = {});

}  // namespace ggufkit::tool
