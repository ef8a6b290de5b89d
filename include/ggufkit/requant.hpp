// Carrying out a plan: rows stream from the mapping through a small tile for each thread to their final offset in the
// output.
//
// Purpose: execute() writes the file that a Plan describes, in bounded memory, atomically.
// Ownership: borrows Model and Plan for the call.
// Thread-safety: one call runs its own threads; the callback is called from one thread at a time. The bytes written do
// not depend
//                on the number of threads.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <stop_token>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/plan.hpp>

namespace ggufkit {

struct Progress {
    std::uint64_t done;   // bytes of input dealt with
    std::uint64_t total;  // plan.bytes_in()
};

struct ExecuteOptions {
    unsigned threads = 0;    // 0: as many as the machine has
    bool overwrite = false;  // replace an existing output (a regular file), at the last moment
    std::function<void(const Progress&)> progress{};
    std::stop_token stop{};  // requested: CANCELLED, and nothing is left behind
};

// Writes to a temporary name beside `output`, then fsync, rename, fsync of the folder. Whatever fails, `output` is as
// it was. Errors: IO_SAME_FILE (output is one of the inputs), IO_EXISTS, IO_NO_SPACE (before any work), IO_WRITE,
// IO_CHANGED, BAD_QUANT (a NaN or infinity in the source, with tensor and row), CANCELLED.
Result<void> execute(const Model& model, const Plan& plan, const std::filesystem::path& output,
                     const ExecuteOptions& options = {});

}  // namespace ggufkit
