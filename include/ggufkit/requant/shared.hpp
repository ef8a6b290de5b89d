// A requantized model in shared memory: made once, mapped by any number of processes as an ordinary model file.
//
// Purpose: materialize() makes /dev/shm/NAME, the file that execute() would write, in memory; materialize_memfd() makes
//   one without a name.
//
//     const auto how = ggufkit::materialize(*model, *plan, "m-Q4_K_M.gguf");  // or waits for the process that makes it
//     if (!how) return complain(how.error());
//     const std::filesystem::path path = *ggufkit::shared_path("m-Q4_K_M.gguf");
//     auto* loaded = llama_model_load_from_file(path.c_str(), params);
//     auto removed = ggufkit::remove_shared("m-Q4_K_M.gguf");
//
// Ownership: /dev/shm/NAME belongs to nobody: it stays until remove_shared(), or until the machine restarts. Model and
//   Plan are borrowed for the call.
// Thread-safety: any number of threads and processes may call all of this for the same NAME: one of them makes the
//   file and the others wait for it. A process that dies while it makes one, by kill -9 too, leaves its work to the
//   next comer, and nothing under NAME: that appears when the file is whole and was read back.
// Source: spec/shared.md.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string_view>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/plan.hpp>
#include <ggufkit/work.hpp>

namespace ggufkit {

struct MaterializeOptions {
    Work work{};                                          // progress after (about) every piece, in bytes of input
    bool replace = false;                                 // whatever else has that name; who has it open keeps it
    std::optional<std::chrono::milliseconds> patience{};  // with another process that makes the file; none: for ever
};

// How /dev/shm/NAME came to be.
enum class Materialized : std::uint8_t {
    made,     // here, all of it
    resumed,  // here, the rest of what a process that died had begun
    awaited,  // by another process, meanwhile
    found,    // was there already
};

// Makes /dev/shm/NAME unless it is there: of the same plan, of the same inputs (as they were last written), by the same
// version of this library. Memory for all of it is reserved before work starts, and is refused where the machine has
// not so much left. Where the work fails or is stopped nothing is left behind. Errors: BAD_ARGUMENT (`name` is no plain
// file name); IO_EXISTS (it is, or becomes, something else), IO_BUSY (another process makes something else of it);
// CANCELLED (stopped, or out of patience); IO_NO_SPACE, IO_OPEN, IO_WRITE; and those of RequantView::make() and execute().
Result<Materialized> materialize(const Model& model, const Plan& plan, std::string_view name,
                                 const MaterializeOptions& options = {});

// "/dev/shm/NAME". BAD_ARGUMENT as above.
Result<std::filesystem::path> shared_path(std::string_view name);

// Removes /dev/shm/NAME and all that an unfinished one left; processes that have it open keep it. Errors: BAD_ARGUMENT;
// NOT_FOUND where materialize() made nothing of that name; IO_BUSY where a process is making it; IO_WRITE.
Result<void> remove_shared(std::string_view name);

// The same file in memory without a name, sealed against changes. Returns a file descriptor, which is yours to close; as
// long as it is open /proc/self/fd/N is a path to the file, and children may inherit it. Errors: those of
// materialize(). `replace` has no meaning here.
Result<int> materialize_memfd(const Model& model, const Plan& plan, const MaterializeOptions& options = {});

}  // namespace ggufkit
