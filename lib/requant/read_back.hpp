// The last look at an output before it gets its name.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/plan.hpp>

namespace ggufkit::requant {

// Reads a file as anyone else would and finds the tensors where the plan put them. IO_WRITE where not.
Result<void> read_back(const std::filesystem::path& path, const Plan& plan);

}  // namespace ggufkit::requant
