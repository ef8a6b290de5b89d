// The workers of one run: each takes the next number from one counter and has a workspace of its own.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <stop_token>
#include <vector>

#include "core/meter.hpp"
#include "core/parallel.hpp"
#include "requant/assembly.hpp"

namespace ggufkit::requant {

// How many workers there are work and memory for: `threads` as in worker_count(); fewer where their workspaces, and
// `extra_bytes` for each, would take too much memory together. UNSUPPORTED where not even one workspace fits.
Result<unsigned> choose_workers(const Assembly& assembly, std::uint64_t items, unsigned threads,
                                std::uint64_t extra_bytes = 0);

class Runner {
  public:
    explicit Runner(unsigned workers) : workers_(workers), workspaces_(workers) {}

    // Calls work(number, workspace) -> Result<void> for each number from `first` to before `end`, in any order.
    // Failures and stops as with parallel_for().
    template <class Work>
    Result<void> each(std::uint64_t first, std::uint64_t end, const std::stop_token& stop, Work&& work) {
        return parallel_for(end - first, workers_, stop, [&](std::size_t index, unsigned worker) -> Result<void> {
            return work(first + index, workspaces_[worker]);
        });
    }

    // Calls make(number, slot, worker) for each number below `count`, in any order, and take(slot) in order. Slots,
    // failures and stops as with parallel_in_order().
    template <class Make, class Take>
    Result<void> in_order(std::uint64_t count, std::size_t slots, const std::stop_token& stop, Make&& make,
                          Take&& take) {
        return parallel_in_order(count, workers_, slots, stop, make,
                                 [&](std::size_t, std::size_t slot) -> Result<void> { return take(slot); });
    }

    Workspace& workspace(unsigned worker) { return workspaces_[worker]; }

  private:
    unsigned workers_;
    std::vector<Workspace> workspaces_;
};

// Tells the kernel that the files of the source will be read from front to back.
void advise_sequential(const Model& model);

}  // namespace ggufkit::requant
