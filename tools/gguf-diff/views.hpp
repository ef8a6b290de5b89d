// A Diff for people and for programs.
#pragma once

#include <ggufkit/diff.hpp>
#include <string>

#include "common/console.hpp"

namespace ggufkit::diff {

struct Names {
    std::string a;
    std::string b;
};

void print_text(cli::Console& console, const Diff& diff, const Names& names);
void print_json(cli::Console& console, const Diff& diff);  // spec/json.md

}  // namespace ggufkit::diff
