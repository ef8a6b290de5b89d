// A file opened as far as it can be, with all that is wrong with it.
#pragma once

#include <filesystem>
#include <ggufkit/model.hpp>
#include <ggufkit/validate.hpp>
#include <optional>
#include <vector>

namespace ggufkit::tool::info {

struct Inspection {
    std::filesystem::path path;
    std::optional<Model> model{};           // what can be read of it; absent where that is nothing
    std::vector<Diagnostic> diagnostics{};  // of every shard, in their order; by place within a shard
    std::vector<Error> faults{};            // those of them that hide something or keep the header from being loaded

    std::size_t count(Severity severity) const;
    bool valid() const { return count(Severity::error) == 0; }
    // Whether there are errors, and all of them are the system's: nothing was found out about the file.
    bool unknown() const;
    std::uint64_t file_bytes() const;  // of all shards
};

// `header_only`: what lies between tensors in a compressed file need not be looked at.
Inspection inspect(const std::filesystem::path& path, const ValidateOptions& options, bool header_only);

}  // namespace ggufkit::tool::info
