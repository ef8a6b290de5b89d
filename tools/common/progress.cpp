#include "common/progress.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "common/console.hpp"
#include "common/message.hpp"
#include "common/text.hpp"

namespace ggufkit::cli {

using namespace std::chrono_literals;

ProgressBar::ProgressBar(std::string_view unit) : unit_(unit), width_(message_screen_width()) {}

ProgressBar::~ProgressBar() {
    if (drawn_) print_message("\r\x1b[K");
}

void ProgressBar::update(std::uint64_t done, std::uint64_t total) {
    const auto now = Clock::now();
    if (!width_ || now - start_ < 1s || now - last_ < 100ms) return;
    last_ = now;
    drawn_ = true;
    const std::chrono::duration<double> elapsed = now - start_;
    // One column less than there are: a full line would wrap.
    const std::string line = unit_.empty() ? progress_line(done, total, elapsed.count())
                                           : progress_line(done, total, elapsed.count(), unit_);
    print_message(fmt::format("\r{}\x1b[K", elide(line, *width_ - 1)));
}

namespace {

// " 42 %  ████████░░░░░░░░".
std::string share_text(double share) {
    constexpr std::size_t cells = 16;
    const auto full = static_cast<std::size_t>(share * cells);
    std::string bar;
    for (std::size_t i = 0; i < cells; ++i) bar += i < full ? "█" : "░";
    return fmt::format("{:3.0f} %  {}", share * 100, bar);
}

std::string time_left(double done, double total, double seconds) {
    const double rate = done / seconds;
    return rate > 0 ? rough_duration((total - done) / rate) + " left" : "";
}

}  // namespace

std::string progress_line(std::uint64_t done_bytes, std::uint64_t total_bytes, double seconds) {
    if (total_bytes == 0) {
        const auto rate = static_cast<std::uint64_t>(static_cast<double>(done_bytes) / seconds);
        return fmt::format("{}  {}/s", human_bytes(done_bytes), human_bytes(rate));
    }
    const double done = static_cast<double>(done_bytes), total = static_cast<double>(total_bytes);
    return fmt::format("{}  {} of {}  {}/s  {}", share_text(std::min(done / total, 1.0)), human_bytes(done_bytes),
                       human_bytes(total_bytes), human_bytes(static_cast<std::uint64_t>(done / seconds)),
                       time_left(done, total, seconds));
}

std::string progress_line(std::uint64_t done, std::uint64_t total, double seconds, std::string_view unit) {
    const double done_so_far = static_cast<double>(done), all = static_cast<double>(std::max<std::uint64_t>(total, 1));
    return fmt::format("{}  {} of {} {}  {}", share_text(std::min(done_so_far / all, 1.0)), done, total, unit,
                       time_left(done_so_far, all, seconds));
}

}  // namespace ggufkit::cli
