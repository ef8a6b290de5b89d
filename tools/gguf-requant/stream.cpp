#include "stream.hpp"

#include <unistd.h>

#include <algorithm>

#include "common/save.hpp"

namespace ggufkit::tool::requant {

namespace {

bool is_compressed(const std::filesystem::path& output) { return output.extension() == ".zst"; }

tl::unexpected<Error> misuse(std::string detail) {
    return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
}

}  // namespace

bool to_standard_output(const Request& request) {
    return std::ranges::any_of(request.outputs, [](const Request::Wanted& wanted) { return wanted.path == "-"; });
}

bool streams(const Request& request) {
    return to_standard_output(request) || std::ranges::any_of(request.outputs, is_compressed, &Request::Wanted::path);
}

Result<void> check_streams(const Request& request, bool json, bool dry_run) {
    if (request.zstd_level && !streams(request)) {
        return misuse("--zstd-level is for an OUTPUT that is - or ends in .zst");
    }
    if (streams(request) && request.outputs.size() > 1) {
        return misuse("of several outputs, none can be - or end in .zst");
    }
    if (!to_standard_output(request) || dry_run) return {};
    if (json) return misuse("with OUTPUT - the model takes standard output, and there is no room for --json");
    if (::isatty(STDOUT_FILENO) != 0) return misuse("standard output is a terminal: lead it into a file or a pipe");
    return {};
}

Result<void> write_outputs(const Model& model, std::span<const ggufkit::Output> outputs, const Request& request,
                           const ExecuteOptions& options) {
    if (!streams(request)) return execute(model, outputs, options);
    const auto& [plan, path] = outputs.front();
    if (!to_standard_output(request)) {
        return execute_compressed(model, *plan, path, request.zstd_level.value_or(default_zstd_level), options);
    }
    return execute_to(model, *plan, write_standard_output,
                      {.work = options.work, .zstd_level = request.zstd_level.value_or(0)});
}

std::optional<std::uint64_t> compressed_bytes(const std::filesystem::path& output) {
    std::error_code unknown;
    const std::uint64_t size = is_compressed(output) ? std::filesystem::file_size(output, unknown) : 0;
    return size == 0 || unknown ? std::nullopt : std::optional(size);
}

}  // namespace ggufkit::tool::requant
