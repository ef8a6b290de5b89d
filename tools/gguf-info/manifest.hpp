// --hash, --manifest, and --verify with a manifest.
#pragma once

#include <filesystem>
#include <ggufkit/inspect/manifest.hpp>
#include <optional>

#include "common/console.hpp"
#include "common/json.hpp"

namespace ggufkit::tool::info {

// The manifest that a file holds; nothing where it holds something else, as a model does, or cannot be read.
std::optional<Manifest> load_manifest(const std::filesystem::path& path);

void write_hashes(JsonWriter& json, const Manifest& manifest);

// Hashes `file` again and prints what was found. The exit code: 0 where all of it holds.
int verify_manifest(Console& console, const std::filesystem::path& file, const std::filesystem::path& path,
                    const Manifest& manifest, unsigned threads, bool as_json);

}  // namespace ggufkit::tool::info
