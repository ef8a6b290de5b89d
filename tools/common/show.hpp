// Parts of a model in words, safe to print.
#pragma once

#include <filesystem>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/plan.hpp>
#include <string>

#include "common/table.hpp"

namespace ggufkit::tool {

// "u32", "str[32000]".
std::string type_text(const ValueView& value);

// A value on one line. Arrays show their first elements; a long string carries its length for where it is cut.
Cell value_cell(const ValueView& value);

// What an array's elements look like: strings are short and in quotes.
std::string element_text(const ValueView& value);

// "Q4_K", "unknown(77)".
std::string type_text(const TensorInfo& tensor);

// "Q4_K_M"; "unknown(77)" for a number that no file type has.
std::string file_type_text(std::uint64_t id);

// What to call a file that was named on the command line: "-" is "standard input".
std::string shown(const std::filesystem::path& file);

// An error for people: without the code where it stands for no rule of the format. `file` is named where the error does
// not.
std::string sentence(const Error& error);
std::string sentence(const std::filesystem::path& file, const Error& error);

}  // namespace ggufkit::tool
