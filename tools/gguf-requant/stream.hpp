// Where the bytes go: a file, a compressed file, or standard output.
#pragma once

#include <ggufkit/requant/execute.hpp>
#include <optional>
#include <span>

#include "arguments.hpp"

namespace ggufkit::tool::requant {

// OUTPUT is "-".
bool to_standard_output(const Request& request);

// It is that, or compressed on the way.
bool streams(const Request& request);

// BAD_ARGUMENT where what is asked for cannot be: JSON and a model on one standard output, a model on a terminal, a
// level for what is not compressed.
Result<void> check_streams(const Request& request, bool json, bool dry_run);

// Carries the plans out, to where the request says.
Result<void> write_outputs(const Model& model, std::span<const ggufkit::Output> outputs, const Request& request,
                           const ExecuteOptions& options);

// The size of an output on disk where it is a compressed file that was written.
std::optional<std::uint64_t> compressed_bytes(const std::filesystem::path& output);

}  // namespace ggufkit::tool::requant
