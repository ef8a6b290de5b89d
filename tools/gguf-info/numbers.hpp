// What reads tensor data: statistics, single values, hashes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "common/console.hpp"

namespace ggufkit::tool::info {

struct Options;

struct NumberOptions {
    std::optional<std::string> stats;   // the pattern; empty: every tensor
    std::optional<std::string> peek{};  // which weights
    std::optional<std::string> hash{};  // the name of a kind, or empty
    std::string manifest{};             // where to write it; empty: nowhere
    bool check_data = false;            // told with what --check finds
    unsigned threads = 0;

    bool any() const { return stats.has_value() || peek || hash.has_value() || !manifest.empty(); }
};

std::vector<std::string> hash_names();  // for --hash
// What is wrong with them; nothing: empty.
std::string misuse(const NumberOptions& options);

// All that was asked for, one after the other. The exit code.
int print_numbers(Console& console, const Options& options);

}  // namespace ggufkit::tool::info
