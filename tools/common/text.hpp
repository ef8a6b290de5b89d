// Text measured and cut for a screen, and numbers for people.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "core/text.hpp"

namespace ggufkit::tool {

// Columns that well-formed UTF-8 takes on a terminal: East Asian wide characters and emoji two, combining marks none.
std::size_t display_width(std::string_view text);

// `text`, or as much of its beginning as leaves room for an ellipsis within `width` columns.
std::string elide(std::string_view text, std::size_t width);

// The same with the ellipsis in the middle, for names that differ at both ends.
std::string elide_middle(std::string_view text, std::size_t width);

using ggufkit::grouped;                                                // 5,240,064
std::string human_bytes(std::uint64_t bytes);                          // 5.3 MiB
std::string human_count(std::uint64_t number);                         // 5.24 M
std::string counted(std::uint64_t number, std::string_view singular);  // 1 tensor, 5,240 tensors
std::string human_duration(double seconds);                            // 0.42 s, 12.3 s, 1:05, 2:03:04
std::string rough_duration(double seconds);                            // 12 s, 1:05, 2:03:04
std::string shape_text(std::span<const std::uint64_t> ne);             // 256x1024; "scalar" where there is no dimension

// Whether LC_ALL, LC_CTYPE or LANG, the first that is set, names a locale without UTF-8, as C and POSIX are. Where none is
// set, UTF-8 is assumed.
bool ascii_only();

// `text` in ASCII: "->" for an arrow, "#" for a bar's block, \u00e9 where there is nothing like it.
std::string in_ascii(std::string_view text);

}  // namespace ggufkit::tool
