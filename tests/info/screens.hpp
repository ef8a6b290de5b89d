// Models that show what a screen of gguf-info can hold, and the screens as golden/ keeps them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

namespace ggufkit::test {

// Two layers with four experts each, of which two work on a token; one layer holds them as older files do, a tensor each.
SmallModel small_mixture();

// A tokenizer with every kind of token, special tokens (one of them out of range), scores and merges.
SmallModel small_tokenizer();

// What gguf-info prints of `model`, without the folder of its file. `columns` 0: into a plain pipe.
std::string screen(const SmallModel& model, const std::vector<std::string>& flags, int columns, int code = 0);

// Free of what could drive a terminal, or hide on it.
bool is_calm(std::string_view text);

}  // namespace ggufkit::test
