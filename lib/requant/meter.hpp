// Counts what is done and tells the caller now and then, from whichever thread comes by.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <ggufkit/requant.hpp>
#include <mutex>

namespace ggufkit::requant {

class Meter {
  public:
    Meter(const std::function<void(const Progress&)>& callback, std::uint64_t total)
        : callback_(callback), total_(total) {}

    void add(std::uint64_t bytes) {
        done_.fetch_add(bytes, std::memory_order_relaxed);
        const std::unique_lock lock(mutex_, std::try_to_lock);
        if (lock && Clock::now() - last_ >= interval) report_locked();
    }
    void report() {
        const std::lock_guard lock(mutex_);
        report_locked();
    }

  private:
    using Clock = std::chrono::steady_clock;
    static constexpr std::chrono::milliseconds interval{50};

    void report_locked() {
        if (callback_) callback_({done_.load(std::memory_order_relaxed), total_});
        last_ = Clock::now();
    }

    const std::function<void(const Progress&)>& callback_;
    const std::uint64_t total_;
    std::atomic<std::uint64_t> done_{0};
    std::mutex mutex_;
    Clock::time_point last_{};
};

}  // namespace ggufkit::requant
