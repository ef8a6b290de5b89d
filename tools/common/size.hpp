// Sizes as people write them.
#pragma once

#include <cstdint>
#include <ggufkit/error.hpp>
#include <string>
#include <string_view>

namespace ggufkit::tool {

// Bytes: "4G" is 4,000,000,000 of them, "4GiB" 4,294,967,296, "1.5K" 1500; parts of a byte are cut off. K, M, G, T in
// any case, with or without a B. A number without a unit is of bytes, and at least a MiB: "24" alone is a mistake.
// BAD_ARGUMENT.
Result<std::uint64_t> read_size(std::string_view text);

// "8k" or "8K" as "8192", "1M" as "1048576": how people write a length of context. Other text as it is.
std::string plain_count(std::string text);

// What is wrong with a text that has to be a whole number; nothing: empty.
std::string check_count(const std::string& text);

}  // namespace ggufkit::tool
