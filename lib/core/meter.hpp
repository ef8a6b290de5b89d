// Counts what is done and reports it now and then, from whichever thread comes by; one report at a time.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <ggufkit/work.hpp>
#include <mutex>

namespace ggufkit {

class Meter {
  public:
    using Interval = std::chrono::milliseconds;

    Meter(const std::function<void(const Progress&)>& callback, std::uint64_t total, Interval interval = Interval(50))
        : callback_(callback), total_(total), interval_(interval) {}

    void add(std::uint64_t bytes) {
        done_.fetch_add(bytes, std::memory_order_relaxed);
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (lock && Clock::now() - last_ >= interval_) report_locked();
    }
    void report() {
        const std::lock_guard lock(mutex_);
        report_locked();
    }

  private:
    using Clock = std::chrono::steady_clock;

    void report_locked() {
        if (callback_) callback_({done_.load(std::memory_order_relaxed), total_});
        last_ = Clock::now();
    }

    const std::function<void(const Progress&)>& callback_;
    const std::uint64_t total_;
    const Interval interval_;
    std::atomic<std::uint64_t> done_{0};
    std::mutex mutex_;
    Clock::time_point last_{};
};

}  // namespace ggufkit
