// How far a long piece of work has come: on a terminal one line that disappears when it is done, in a log a line every so
// often.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <ggufkit/work.hpp>

namespace ggufkit::tool {

// How progress is shown: with a bar, for a terminal, or in words alone.
enum class Line : std::uint8_t { bar, log };

// On a terminal, shows nothing of work that takes less than a second. Where standard error is none, a line comes every
// minute, or every GGUFKIT_PROGRESS seconds (0: never).
class ProgressBar {
  public:
    // `unit`: what is counted, in the plural, if not bytes; a literal.
    explicit ProgressBar(std::string_view unit = {});
    ProgressBar(const ProgressBar&) = delete;
    ProgressBar& operator=(const ProgressBar&) = delete;
    ~ProgressBar();

    void update(const Progress& progress);

  private:
    using Clock = std::chrono::steady_clock;
    std::string line(std::uint64_t done, std::uint64_t total, Line kind) const;

    std::string_view unit_;
    std::optional<std::size_t> width_;  // of the terminal; none: lines for a log
    Clock::duration interval_;
    bool drawn_ = false;
    Clock::time_point start_ = Clock::now();
    Clock::time_point last_ = start_;
};

// The line; without the share where the total is not known and 0: " 42 %  ████████░░░░░░░░  512 MiB of 1.19 GiB  210 MiB/s  34 s left".
// In a log: " 42 %  512 MiB of 1.19 GiB  210 MiB/s  34 s left".
std::string progress_line(std::uint64_t done_bytes, std::uint64_t total_bytes, double seconds, Line kind = Line::bar);

// The same of other things, whose number is known: " 42 %  ████████░░░░░░░░  42 of 100 tensors measured  34 s left".
std::string progress_line(std::uint64_t done, std::uint64_t total, double seconds, std::string_view unit,
                          Line kind = Line::bar);

}  // namespace ggufkit::tool
