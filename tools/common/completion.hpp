// Completion of a tool's arguments for the shells that people use.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "common/manual.hpp"

namespace ggufkit::tool {

// Everything that a shell has to know of a tool.
struct Tool {
    std::string_view name;
    std::vector<Flag> flags;
    std::vector<Flag> positionals;
};

// A script for bash-completion's folder, zsh's site-functions, fish's vendor_completions.d: options, the words that their
// values can be, names of files where they want one, and models for positional arguments.
std::string bash_completion(const Tool& tool);
std::string zsh_completion(const Tool& tool);
std::string fish_completion(const Tool& tool);

}  // namespace ggufkit::tool
