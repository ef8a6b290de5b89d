// Type ids that forks of llama.cpp use otherwise.
#pragma once

#include <ggufkit/format.hpp>
#include <string_view>

namespace ggufkit {

// What forks of llama.cpp use the id of a type for: "I2_S in ik_llama.cpp"; empty where none is known to.
std::string_view other_meaning(const FormatInfo& format) noexcept;

// Whether llama.cpp has no type of this id, and its forks have several.
bool is_ambiguous(const FormatInfo& format) noexcept;

}  // namespace ggufkit
