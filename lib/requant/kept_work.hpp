// Work that an earlier run left unfinished beside an output, and that nothing may throw away without being told to.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>

namespace ggufkit::requant {

// IO_UNFINISHED where there is a partial file of this output, with a journal that says how much of it is done, and no run
// is at work on it. The error's subject is the partial file.
Result<void> check_nothing_kept(const std::filesystem::path& output);

}  // namespace ggufkit::requant
