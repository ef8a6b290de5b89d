// How far a long piece of work has come, in one line on standard error that disappears when it is done.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ggufkit::cli {

// Shows nothing unless standard error is a terminal and the work takes more than a second.
class ProgressBar {
  public:
    // `unit`: what is counted, in the plural, if not bytes; a literal.
    explicit ProgressBar(std::string_view unit = {});
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar();

    void update(std::uint64_t done, std::uint64_t total);

  private:
    using Clock = std::chrono::steady_clock;
    std::string_view unit_;
    std::optional<std::size_t> width_;  // of the terminal; none: nothing is shown
    bool drawn_ = false;
    Clock::time_point start_ = Clock::now();
    Clock::time_point last_ = start_;
};

// The line; without the share where the total is not known and 0: " 42 %  ████████░░░░░░░░  512 MiB of 1.19 GiB  210 MiB/s  34 s left".
std::string progress_line(std::uint64_t done_bytes, std::uint64_t total_bytes, double seconds);

// The same of other things, whose number is known: " 42 %  ████████░░░░░░░░  42 of 100 tensors measured  34 s left".
std::string progress_line(std::uint64_t done, std::uint64_t total, double seconds, std::string_view unit);

}  // namespace ggufkit::cli
