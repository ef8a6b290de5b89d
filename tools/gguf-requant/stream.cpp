#include "stream.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include "io/write_all.hpp"

namespace ggufkit::requant {

namespace {

bool is_compressed(const std::filesystem::path& output) { return output.extension() == ".zst"; }

tl::unexpected<Error> misuse(std::string detail) {
    return fail({.code = Errc::bad_argument, .detail = std::move(detail)});
}

Result<void> write_to_standard_output(std::span<const std::byte> bytes) {
    auto written = io::write_all(STDOUT_FILENO, bytes);
    if (!written) written.error().subject = "standard output";
    return written;
}

// execute() compares the output with the files that the model's bytes are in; of a compressed input that is another one
// than the user named.
Result<void> check_not_compressed_input(const Model& model, const std::filesystem::path& output) {
    struct stat target {};
    if (::stat(output.c_str(), &target) != 0) return {};
    for (std::size_t i = 0; i < model.shard_count(); ++i) {
        struct stat input {};
        if (::fstat(model.opened_fd(i), &input) == 0 && input.st_dev == target.st_dev &&
            input.st_ino == target.st_ino) {
            return fail({.code = Errc::io_same_file, .subject = output.string(), .detail = "is the input"});
        }
    }
    return {};
}

}  // namespace

bool to_standard_output(const Request& request) { return request.output == "-"; }

Result<void> check_streams(const Request& request, bool json, bool dry_run) {
    if (request.zstd_level && !to_standard_output(request) && !is_compressed(request.output)) {
        return misuse("--zstd-level is for an OUTPUT that is - or ends in .zst");
    }
    if (!to_standard_output(request) || dry_run) return {};
    if (json) return misuse("with OUTPUT - the model takes standard output, and there is no room for --json");
    if (::isatty(STDOUT_FILENO) != 0) return misuse("standard output is a terminal: lead it into a file or a pipe");
    return {};
}

Result<void> write_output(const Model& model, const Plan& plan, const Request& request, const ExecuteOptions& options) {
    if (to_standard_output(request)) {
        return execute_to(model, plan, write_to_standard_output,
                          {.threads = options.threads,
                           .zstd_level = request.zstd_level.value_or(0),
                           .progress = options.progress,
                           .stop = options.stop});
    }
    if (is_compressed(request.output)) {
        return execute_compressed(model, plan, request.output, request.zstd_level.value_or(default_zstd_level),
                                  options);
    }
    if (auto other = check_not_compressed_input(model, request.output); !other) return other;
    return execute(model, plan, request.output, options);
}

std::optional<std::uint64_t> compressed_bytes(const Request& request) {
    std::error_code unknown;
    const std::uint64_t size = is_compressed(request.output) ? std::filesystem::file_size(request.output, unknown) : 0;
    return size == 0 || unknown ? std::nullopt : std::optional(size);
}

}  // namespace ggufkit::requant
