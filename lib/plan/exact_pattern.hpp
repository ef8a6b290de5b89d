// Names of tensors as the regular expressions that recipe files hold.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace ggufkit::plan {

// The pattern "^blk\.0\.attn_q\.weight$" that is found in this name and no other. Characters that a recipe file or a
// pattern (which is made lower case) cannot hold as they are become "\x41".
std::string exact_pattern(std::string_view tensor);

// The name with this exact pattern; nothing where it is another pattern.
std::optional<std::string> exact_name(std::string_view pattern);

}  // namespace ggufkit::plan
