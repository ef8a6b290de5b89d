// Carrying out plans: rows stream through a small workspace for each thread to their final offset in the output.
//
// Purpose: execute() writes the files that Plans describe, in bounded memory (less than 64 MiB, and eight bytes for some
//   60,000 weights), atomically; what was killed can be resumed. execute_to() passes the same bytes on as a stream, from
//   the first to the last, for a pipe; execute_compressed() puts them into a .gguf.zst.
//
//     const auto plan = ggufkit::make_plan(*model, recipe);
//     if (!plan) return complain(plan.error());
//     const auto done = ggufkit::execute(*model, *plan, "m-Q4_K_M.gguf", {.work = {.threads = 8}, .overwrite = true});
//     if (!done) return complain(done.error());  // and there is no m-Q4_K_M.gguf
//
// Ownership: borrows Model and Plans for the call.
// Thread-safety: one call runs its own threads; the callback is called from one of them at a time and must not
//   throw. The bytes written do not depend on the number of threads.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/plan.hpp>
#include <ggufkit/requant/report.hpp>
#include <ggufkit/work.hpp>
#include <ggufkit/zstd_level.hpp>

namespace ggufkit {

// What to make of a plan: a file, or the shards of a split model (see output_paths()).
struct Output {
    const Plan* plan;
    std::filesystem::path path;
};

struct ExecuteOptions {
    Work work{};  // progress in bytes of input, of the run that this one resumes too, some 20 times a second
    // Replace an existing output (a regular file), at the last moment; and throw away unfinished work of an earlier run that
    // `resume` could continue. Without either, IO_EXISTS or IO_UNFINISHED.
    bool overwrite = false;
    // Unfinished work of another run is IO_UNFINISHED unless `overwrite` is set.
    // Go on where a run that was killed had come to, if it was one of the same inputs, plans and version: what is as the
    // journal beside the first output says is kept, all else is done (again). And leave what is done where this run is
    // stopped, or the system fails it.
    bool resume = false;
    std::chrono::milliseconds checkpoint_interval{2000};  // between the moments at which what is done is made durable
    std::vector<QualityReport>* quality =
        nullptr;  // where given, set to one report for each output once they are there
};

// Reserves the space, writes to a temporary name beside each output, reads the headers back, then fsync, rename, fsync of
// the folder. Whatever fails, the outputs are as they were (of several files, those before the one that could not get its
// name are new). Every tensor is read and decoded once, however many plans there are. The source is read, not looked at
// through its mapping, so that a file that shrinks is an error and no signal. Copied tensors are checked like converted
// ones. An output that is a symbolic link is refused. Errors: those of check_executable(); BAD_ARGUMENT (a plan of another
// model, no output, two of one name); UNSUPPORTED (rows of many millions of elements); IO_SAME_FILE (output is one of the
// inputs), IO_EXISTS, IO_UNFINISHED (an earlier run left work), IO_BUSY (another run is at work on it), IO_OPEN,
// IO_NO_SPACE (before any work), IO_READ, IO_WRITE, IO_CHANGED; BAD_QUANT (a NaN or infinity in the source, or a value too
// large for its new type, with tensor and row); CANCELLED.
Result<void> execute(const Model& model, std::span<const Output> outputs, const ExecuteOptions& options = {});
Result<void> execute(const Model& model, const Plan& plan, const std::filesystem::path& output,
                     const ExecuteOptions& options = {});

// A tensor with values that are too large for the type that a plan gives it.
struct Misfit {
    std::size_t tensor;  // index into Plan::tensors
    std::uint64_t row;   // the first that does not fit, counted through all matrices
    float greatest;      // the largest magnitude in the tensor
};

// All tensors that execute() would refuse with BAD_QUANT because their values do not fit, in the order of the plan. Reads
// every tensor that is converted, but encodes only what has large values. Errors: BAD_ARGUMENT (a plan of another model);
// UNSUPPORTED (rows of many millions of elements); IO_READ, IO_CHANGED; BAD_QUANT (a NaN or infinity in the source);
// CANCELLED.
Result<std::vector<Misfit>> find_misfits(const Model& model, const Plan& plan, const Work& work = {});

// Takes the next bytes of a stream. What it returns as an error ends the work.
using Sink = std::function<Result<void>(std::span<const std::byte>)>;

struct StreamOptions {
    Work work{};
    int zstd_level = 0;  // 0: as it is; 1 to most_zstd_level: zstd frames and a seek table (spec/streams.md)
};

// Makes the bytes of the file that the plan describes, which must be one file, by all threads, and gives them to `sink`
// from the first to the last, in order, padding as zeros; never from two threads at once. Only a few MiB are ready ahead
// of what the sink has taken. Compressed, the bytes depend on the version of libzstd as well; what they decompress to
// does not. Errors: those of check_executable(); BAD_ARGUMENT (a plan of another model, or of several files; the level);
// UNSUPPORTED (rows of many millions of elements, a library without zstd); IO_READ, IO_CHANGED; BAD_QUANT, as execute();
// CANCELLED; those of the sink.
Result<void> execute_to(const Model& model, const Plan& plan, const Sink& sink, const StreamOptions& options = {});

// The same into a file, of whose atomicity and errors all is true that is said of execute(); but no space is reserved,
// since nobody knows how much it takes.
Result<void> execute_compressed(const Model& model, const Plan& plan, const std::filesystem::path& output, int level,
                                const ExecuteOptions& options = {});

}  // namespace ggufkit
