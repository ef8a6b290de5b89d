// Several files at once: a table with a line for each.
#pragma once

#include <ggufkit/validate.hpp>
#include <span>
#include <string>

#include "common/console.hpp"

namespace ggufkit::tool::info {

struct Several {
    bool check = false;  // all of each file, and an invalid one counts as a failure
    bool json = false;   // an array of what --json prints of one
};

// A model whose shards are several of the files is shown once. Whether every file could be read.
bool print_several(Console& console, std::span<const std::string> files, const ValidateOptions& rules,
                   const Several& how);

}  // namespace ggufkit::tool::info
