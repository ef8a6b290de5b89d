// Waiting for another process by looking again and again: it may die at any moment, and then nobody would wake us.
#pragma once

#include <chrono>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/materialize.hpp>
#include <thread>

namespace ggufkit::requant {

class Wait {
  public:
    explicit Wait(const Patience& patience) : patience_(patience) {}

    // A short sleep. CANCELLED where there was a request to stop, or the time is over.
    Result<void> pause(const std::filesystem::path& awaited) {
        const auto give_up = [&](const char* detail) {
            return fail({.code = Errc::cancelled, .subject = awaited.string(), .detail = detail});
        };
        if (patience_.stop.stop_requested()) return give_up("stopped on request");
        if (patience_.most && std::chrono::steady_clock::now() - start_ >= *patience_.most) {
            return give_up("another process has not made it in the time that there was");
        }
        std::this_thread::sleep_for(step);
        return {};
    }

    static constexpr std::chrono::milliseconds step{10};

  private:
    const Patience& patience_;
    const std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

}  // namespace ggufkit::requant
