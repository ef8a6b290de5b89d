#include "common/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "common/console.hpp"
#include "common/text.hpp"

namespace ggufkit::cli {

using namespace std::chrono_literals;

ProgressBar::ProgressBar() : width_(message_screen_width()) {}

ProgressBar::~ProgressBar() {
    if (drawn_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressBar::update(std::uint64_t done_bytes, std::uint64_t total_bytes) {
    const auto now = Clock::now();
    if (!width_ || now - start_ < 1s || now - last_ < 100ms) return;
    last_ = now;
    drawn_ = true;
    const std::chrono::duration<double> elapsed = now - start_;
    // One column less than there are: a full line would wrap.
    fmt::print(stderr, "\r{}\x1b[K", elide(progress_line(done_bytes, total_bytes, elapsed.count()), *width_ - 1));
}

std::string progress_line(std::uint64_t done_bytes, std::uint64_t total_bytes, double seconds) {
    constexpr std::size_t cells = 16;
    if (total_bytes == 0) {
        const auto rate = static_cast<std::uint64_t>(static_cast<double>(done_bytes) / seconds);
        return fmt::format("{}  {}/s", human_bytes(done_bytes), human_bytes(rate));
    }
    const double done = static_cast<double>(done_bytes), total = static_cast<double>(total_bytes);
    const double share = std::min(done / total, 1.0);
    const double rate = done / seconds;
    const auto full = static_cast<std::size_t>(share * cells);
    std::string bar;
    for (std::size_t i = 0; i < cells; ++i) bar += i < full ? "█" : "░";
    const std::string left = rate > 0 ? rough_duration((total - done) / rate) + " left" : "";
    return fmt::format("{:3.0f} %  {}  {} of {}  {}/s  {}", share * 100, bar, human_bytes(done_bytes),
                       human_bytes(total_bytes), human_bytes(static_cast<std::uint64_t>(rate)), left);
}

}  // namespace ggufkit::cli
