// The edits that a recipe makes to metadata: keys removed, keys set.
#pragma once

#include <ggufkit/requant/plan.hpp>
#include <span>
#include <string>
#include <vector>

namespace ggufkit::plan {

// Takes out the keys that fit a glob; a note says of a glob that fits none.
void remove_keys(Header& header, std::span<const std::string> globs, std::vector<std::string>& notes);

// Sets keys in order; each goes to the end. BAD_ARGUMENT names a key that cannot be set, or not to that value. A note says
// which key got another type.
Result<void> set_keys(Header& header, std::span<const KeyOverride> edits, std::vector<std::string>& notes);

}  // namespace ggufkit::plan
