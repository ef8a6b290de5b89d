// Parallel loops over numbered items.
//
// Items are handed out in order from one counter, so uneven ones balance themselves; the calling thread works too. What
// comes back does not depend on the number of threads: where several items fail, it is the error of the lowest one.
//
// No exception leaves a worker thread. An item that cannot allocate fails with no_memory(). Any other exception ends the
// loop and is thrown again on the calling thread, after all workers have ended.
#pragma once

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include <ggufkit/error.hpp>

#include "core/no_memory.hpp"

namespace ggufkit {

// How many workers parallel_for() will use at most: `threads`, or one for each CPU where that is 0, but no more than
// there are items. At least 1.
inline unsigned worker_count(std::size_t count, unsigned threads) noexcept {
    if (threads == 0) threads = std::max(1u, std::thread::hardware_concurrency());
    return static_cast<unsigned>(std::clamp<std::size_t>(count, 1, threads));
}

// Turns what the items of a loop throw into errors, and keeps the first exception that is not about memory.
class Caught {
  public:
    template <class Item>
    Result<void> run(Item&& item) noexcept {
        try {
            return or_no_memory(item);
        } catch (...) {
            const std::lock_guard lock(mutex_);
            if (!exception_) exception_ = std::current_exception();
            return fail({.code = Errc::cancelled});
        }
    }

    // Once no worker is left.
    void rethrow() const {
        if (exception_) std::rethrow_exception(exception_);
    }

  private:
    std::mutex mutex_;
    std::exception_ptr exception_;
};

// Calls work(worker) for every worker, each in a thread of its own, and waits for them. `work` must not throw.
template <class Work>
void run_workers(unsigned workers, const Work& work) {
    std::vector<std::jthread> helpers;
    try {
        helpers.reserve(workers - 1);
        for (unsigned worker = 1; worker < workers; ++worker) helpers.emplace_back(work, worker);
    } catch (const std::system_error&) {
        // The system grants no more threads: the existing ones do all the work.
    } catch (const std::bad_alloc&) {
        // The same.
    }
    work(0);
}

// Calls body(index, worker) -> Result<void> for every index below `count`, each once, worker below worker_count().
// After a failure or a stop request no further item is begun; those under way are finished. CANCELLED where items were
// left out because of `stop`.
template <class Body>
Result<void> parallel_for(std::size_t count, unsigned threads, const std::stop_token& stop, Body&& body) {
    std::atomic<std::size_t> next{0};
    std::atomic<bool> failed{false};
    std::mutex mutex;
    std::size_t first_failure = count;
    std::optional<Error> error;
    Caught caught;

    const auto work = [&](unsigned worker) {
        while (!failed.load(std::memory_order_relaxed) && !stop.stop_requested()) {
            const std::size_t index = next.fetch_add(1, std::memory_order_relaxed);
            if (index >= count) return;
            Result<void> result = caught.run([&] { return body(index, worker); });
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

    run_workers(worker_count(count, threads), work);
    caught.rethrow();
    if (error) return fail(std::move(*error));
    if (next.load(std::memory_order_relaxed) < count) {
        return fail({.code = Errc::cancelled, .detail = "stopped on request"});
    }
    return {};
}

// Items that are made by all threads, in any order, and taken one after another, in theirs.
template <class Make, class Take>
class InOrder {
  public:
    InOrder(std::size_t count, std::size_t window, const std::stop_token& stop, Make& make, Take& take)
        : count_(count), stop_(stop), make_(make), take_(take), made_(window) {}

    void work(unsigned worker) {
        std::unique_lock lock(mutex_);
        // A slot is free once the item before it in the same slot was taken.
        const auto may_go_on = [&] { return over() || next_ - taken_ < made_.size(); };
        while (changed_.wait(lock, stop_, may_go_on) && !over() && !stop_.stop_requested()) {
            const std::size_t index = next_++, slot = index % made_.size();
            lock.unlock();
            Result<void> result = caught_.run([&] { return make_(index, slot, worker); });
            lock.lock();
            if (result) {
                made_[slot] = true;
            } else {
                note(index, std::move(result).error());
            }
            take_what_is_made(lock);
        }
    }

    Result<void> result() && {
        caught_.rethrow();
        if (error_) return fail(std::move(*error_));
        if (taken_ < count_) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
        return {};
    }

  private:
    bool over() const { return error_ || next_ == count_; }

    // By one thread at a time; the others go on meanwhile.
    void take_what_is_made(std::unique_lock<std::mutex>& lock) {
        if (taking_) return;
        taking_ = true;
        for (std::size_t slot; slot = taken_ % made_.size(), taken_ < end_ && made_[slot];) {
            lock.unlock();
            Result<void> result = caught_.run([&] { return take_(taken_, slot); });
            lock.lock();
            if (!result) note(taken_, std::move(result).error());
            made_[slot] = false;
            ++taken_;
            changed_.notify_all();
        }
        taking_ = false;
    }

    // Of several failures the one of the lowest item is kept: all below it have been begun, and are taken.
    void note(std::size_t index, Error error) {
        if (index < end_) {
            end_ = index;
            error_ = std::move(error);
        }
        changed_.notify_all();
    }

    const std::size_t count_;
    const std::stop_token& stop_;
    Make& make_;
    Take& take_;
    Caught caught_;
    std::mutex mutex_;
    std::condition_variable_any changed_;
    std::vector<char> made_;    // of each slot: it holds what was made and not yet taken
    std::size_t next_ = 0;      // to be made
    std::size_t taken_ = 0;     // how many were
    std::size_t end_ = count_;  // the first failure
    bool taking_ = false;
    std::optional<Error> error_;
};

// Calls make(index, slot, worker) -> Result<void> for every index below `count`, as parallel_for() does, and take(index,
// slot) -> Result<void> for one index after another, one call at a time. What make() leaves in slot index % window stays
// untouched until it was taken; so no more than `window` items are ahead, which should be a few more than there are
// threads. Failures and stops as with parallel_for().
template <class Make, class Take>
Result<void> parallel_in_order(std::size_t count, unsigned threads, std::size_t window, const std::stop_token& stop,
                               Make&& make, Take&& take) {
    InOrder in_order(count, window, stop, make, take);
    run_workers(worker_count(count, threads), [&](unsigned worker) { in_order.work(worker); });
    return std::move(in_order).result();
}

}  // namespace ggufkit
