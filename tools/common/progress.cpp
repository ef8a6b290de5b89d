#include "common/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <cstring>

#include "common/console.hpp"
#include "common/message.hpp"
#include "common/text.hpp"

namespace ggufkit::tool {

using namespace std::chrono_literals;

namespace {

// Between lines of a log.
std::chrono::steady_clock::duration log_interval() {
    const char* const text = std::getenv("GGUFKIT_PROGRESS");
    double seconds = 60;
    if (text != nullptr) std::from_chars(text, text + std::strlen(text), seconds);  // else it stays as it is
    if (!(seconds > 0)) return std::chrono::steady_clock::duration::max();
    return std::chrono::duration_cast<std::chrono::steady_clock::duration>(
        std::chrono::duration<double>(std::min(seconds, 1e6)));
}

}  // namespace

ProgressBar::ProgressBar(std::string_view unit)
    : unit_(unit), width_(message_screen_width()), interval_(width_ ? 100ms : log_interval()) {}

ProgressBar::~ProgressBar() {
    if (drawn_) print_message("\r\x1b[K");
}

void ProgressBar::update(const Progress& progress) {
    const auto [done, total] = progress;
    const auto now = Clock::now();
    if (now - last_ < interval_ || (width_ && now - start_ < 1s)) return;
    last_ = now;
    if (!width_) {
        print_message(line(done, total, Line::log) + "\n");
        return;
    }
    drawn_ = true;
    // One column less than there are: a full line would wrap.
    const std::string line = this->line(done, total, Line::bar);
    print_message(fmt::format("\r{}\x1b[K", elide(ascii_only() ? in_ascii(line) : line, *width_ - 1)));
}

namespace {

// " 42 %  ████████░░░░░░░░".
std::string share_text(double share, Line kind) {
    if (kind == Line::log) return fmt::format("{:3.0f} %", share * 100);
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

std::string ProgressBar::line(std::uint64_t done, std::uint64_t total, Line kind) const {
    const double seconds = std::chrono::duration<double>(Clock::now() - start_).count();
    return unit_.empty() ? progress_line(done, total, seconds, kind) : progress_line(done, total, seconds, unit_, kind);
}

std::string progress_line(std::uint64_t done_bytes, std::uint64_t total_bytes, double seconds, Line kind) {
    if (total_bytes == 0) {
        const auto rate = static_cast<std::uint64_t>(static_cast<double>(done_bytes) / seconds);
        return fmt::format("{}  {}/s", human_bytes(done_bytes), human_bytes(rate));
    }
    const double done = static_cast<double>(done_bytes), total = static_cast<double>(total_bytes);
    return fmt::format("{}  {} of {}  {}/s  {}", share_text(std::min(done / total, 1.0), kind), human_bytes(done_bytes),
                       human_bytes(total_bytes), human_bytes(static_cast<std::uint64_t>(done / seconds)),
                       time_left(done, total, seconds));
}

std::string progress_line(std::uint64_t done, std::uint64_t total, double seconds, std::string_view unit, Line kind) {
    const double done_so_far = static_cast<double>(done), all = static_cast<double>(std::max<std::uint64_t>(total, 1));
    return fmt::format("{}  {} of {} {}  {}", share_text(std::min(done_so_far / all, 1.0), kind), done, total, unit,
                       time_left(done_so_far, all, seconds));
}

}  // namespace ggufkit::tool
