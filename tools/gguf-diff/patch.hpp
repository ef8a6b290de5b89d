// gguf-diff --patch and --apply.
#pragma once

#include <ggufkit/error.hpp>
#include <ggufkit/zstd_level.hpp>
#include <optional>
#include <string>

#include "common/command_line.hpp"

namespace ggufkit::tool::diff {

struct PatchRequest {
    std::optional<std::string> make;   // the patch to write
    std::optional<std::string> apply;  // the patch to apply
    bool in_place = false;
    int zstd_level = default_zstd_level;

    bool any() const { return make || apply; }
};

// What A and B stand for: OLD and NEW; with --in-place A is the file and there is no B. The exit code is 0 or 2.
struct PatchRun {
    const PatchRequest& request;
    std::string a;
    std::string b;
    unsigned threads;
    bool json;
    bool force;
};
int run_patch(const PatchRun& run, const CommandLine& line, Console& console);

}  // namespace ggufkit::tool::diff
