// The last look at an output before it gets its name.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/plan.hpp>

namespace ggufkit::requant {

// Reads one file of a plan as anyone else would and finds its tensors where the plan put them. IO_WRITE where not.
Result<void> read_back(const std::filesystem::path& path, const Plan& plan, std::uint32_t file = 0);

}  // namespace ggufkit::requant
