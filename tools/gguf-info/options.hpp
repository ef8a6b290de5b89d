// What gguf-info can be asked for.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/command_line.hpp"
#include "fit.hpp"
#include "numbers.hpp"

namespace ggufkit::tool::info {

struct Options {
    std::vector<std::string> given;  // the flags on the command line: "--json"
    std::vector<std::string> files;
    const std::string& file() const { return files.front(); }
    std::optional<std::string> metadata;  // the pattern
    std::optional<std::string> tensors;
    std::optional<std::string> sort;
    bool in_full = false;
    std::optional<std::string> get;
    bool layers = false;
    bool types = false;
    std::optional<std::string> chat_template;  // its name; empty: the default one
    bool tokenizer = false;
    bool header_hex = false;
    bool check = false;
    bool json = false;
    bool markdown = false;
    std::string html;
    bool force = false;
    bool strict = false;
    bool list_types = false;
    std::optional<std::string> source;
    std::optional<std::string> profile;
    FitOptions fit{};
    NumberOptions numbers{};
};

Manual manual();
void add_options(CLI::App& app, Options& options);

// Files that options took for a value that may be left out are given back: `--tensors FILE`.
void give_back_file(Options& options);

}  // namespace ggufkit::tool::info
