// The flags of gguf-diff: their names and help.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "common/command_line.hpp"
#include "patch.hpp"

namespace ggufkit::tool::diff {

// As they stand on the command line.
struct Options {
    std::string a;
    std::string b;
    std::string c;  // where it is there: `a` is the base of `b` and `c`

    std::vector<std::string> ignored_keys;
    double tolerance = 0;
    std::optional<std::string> imatrix;
    std::uint64_t sample = 0;
    std::vector<std::string> fail_above;

    bool brief = false;
    bool all = false;
    bool blocks = false;
    bool json = false;
    std::optional<std::string> html;
    bool force = false;
    unsigned threads = 0;

    PatchRequest patch{};
};

Manual manual();
void add_options(CLI::App& app, Options& options);

}  // namespace ggufkit::tool::diff
