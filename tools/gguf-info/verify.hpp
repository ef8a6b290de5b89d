// --verify: whether a file was made from the source that it is said to be made from, or has the hashes of a manifest.
#pragma once

#include <filesystem>
#include <ggufkit/requant/provenance.hpp>

#include "common/console.hpp"

namespace ggufkit::tool::info {

struct Pair {
    std::filesystem::path made;
    std::filesystem::path source;
};

// Reads all of the source, or of the file where `source` is a manifest, and prints what was found: for people, or as
// spec/json.md says. The exit code: 0 where all of it holds, else 1.
int verify(Console& console, const Pair& paths, unsigned threads, bool as_json);

}  // namespace ggufkit::tool::info
