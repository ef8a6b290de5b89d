// The hot loop of opening a file: passing over the hundred thousands of strings of a vocabulary.
#pragma once

#include <cstdint>

#include "core/cursor.hpp"

namespace ggufkit::container {

// Moves past `count` strings. Where one does not fit into what remains, stops before it and returns false.
bool skip_strings(Cursor& in, std::uint64_t count);

}  // namespace ggufkit::container
