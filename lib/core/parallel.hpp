// A parallel loop over numbered items.
//
// Items are handed out in order from one counter, so uneven ones balance themselves; the calling thread works too. What
// comes back does not depend on the number of threads: where several items fail, it is the error of the lowest one.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <ggufkit/error.hpp>

namespace ggufkit {

// How many workers parallel_for() will use at most: `threads`, or one for each CPU where that is 0, but no more than
// there are items. At least 1.
inline unsigned worker_count(std::size_t count, unsigned threads) noexcept {
    if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
    return static_cast<unsigned>(std::clamp<std::size_t>(count, 1, threads));
}

// Calls body(index, worker) -> Result<void> for every index below `count`, each once, worker below worker_count().
// After a failure or a stop request no further item is begun; those under way are finished. CANCELLED where items were
// left out because of `stop`. The body must not throw.
template <class Body>
Result<void> parallel_for(std::size_t count, unsigned threads, const std::stop_token& stop, Body&& body) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex mutex;
    std::size_t first_failure = count;
    std::optional<Error> error;

    const auto work = [&](unsigned worker) {
        while (!failed.load(std::memory_order_relaxed) && !stop.stop_requested()) {
            const std::size_t index = next.fetch_add(1, std::memory_order_relaxed);
            if (index >= count) return;
            Result<void> result = body(index, worker);
            if (result) continue;
            // Every lower item has been handed out already and runs to its end, so the lowest failure is always found.
            const std::lock_guard lock(mutex);
            failed.store(true, std::memory_order_relaxed);
            if (index < first_failure) {
                first_failure = index;
                error = std::move(result).error();
            }
        }
    };

    {
        const unsigned workers = worker_count(count, threads);
        std::vector<std::jthread> helpers;
        helpers.reserve(workers - 1);
        try {
            for (unsigned worker = 1; worker < workers; ++worker) helpers.emplace_back(work, worker);
        } catch (const std::system_error&) {
            // The system grants no more threads: the ones there are do all the work.
        }
        work(0);
    }
    if (error) return fail(std::move(*error));
    if (next.load(std::memory_order_relaxed) < count) {
        return fail({.code = Errc::cancelled, .detail = "stopped on request"});
    }
    return {};
}

}  // namespace ggufkit
