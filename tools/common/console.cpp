#include "common/console.hpp"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>

#include "common/markdown.hpp"
#include "common/message.hpp"
#include "common/text.hpp"
#include "core/number.hpp"
#include "core/text.hpp"

namespace ggufkit::tool {

namespace {

std::string_view environment(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string_view{} : value;
}

// https://no-color.org: any value but the empty one counts.
bool wants_color(Color color, int fd) {
    if (color != Color::automatic) return color == Color::always;
    return ::isatty(fd) != 0 && environment("NO_COLOR").empty() && environment("TERM") != "dumb";
}

std::optional<std::size_t> terminal_width(int fd) {
    winsize size{};
    if (::ioctl(fd, TIOCGWINSZ, &size) != 0) return std::nullopt;
    return size.ws_col == 0 ? 80 : size.ws_col;
}

std::optional<std::size_t> line_width() {
    constexpr std::size_t narrowest = 40, widest = 10'000;
    auto width = read_number<std::size_t>(environment("COLUMNS"));
    if (width.value_or(0) == 0) width = terminal_width(STDOUT_FILENO);
    return width ? std::optional(std::clamp(*width, narrowest, widest)) : std::nullopt;
}

std::string painted(bool color, Style style, std::string_view text) {
    static constexpr std::array<std::string_view, 7> codes{"0", "1", "2", "31", "32", "33", "36"};
    if (!color || style == Style::plain || text.empty()) return std::string(text);
    return fmt::format("\x1b[{}m{}\x1b[0m", codes[static_cast<std::size_t>(style)], text);
}

}  // namespace

Output::Output(Sink sink) : sink_(sink), ascii_(sink == Sink::standard_output && ascii_only()) {}

void Output::write(std::string_view text) { ascii_ ? write_raw(in_ascii(text)) : write_raw(text); }

void Output::flush() {
    if (error_ == 0) error_ = write_stream(STDOUT_FILENO, buffer_);
    buffer_.clear();
}

Console::Console(std::string_view tool, Color color)
    : tool_(tool),
      color_out_(wants_color(color, STDOUT_FILENO)),
      color_err_(wants_color(color, STDERR_FILENO)),
      width_(line_width()),
      terminal_(::isatty(STDOUT_FILENO) != 0) {}

void Console::write_markdown() {
    markdown_ = true;
    color_out_ = false;
    out.keep_utf8();
}

bool Console::ascii() const { return !markdown_ && ascii_only(); }

void Console::section(std::string_view title) {
    if (std::exchange(began_, true)) out.write("\n");
    if (markdown_) out.print("## {}\n\n", markdown_text(title));
}

std::string Console::paint(Style style, std::string_view text) const { return painted(color_out_, style, text); }

void Console::error(std::string_view message) const {
    try {
        const std::string text = printable(message);
        print_message(
            fmt::format("{}: {}\n", painted(color_err_, Style::red, tool_), ascii_only() ? in_ascii(text) : text));
    } catch (const std::bad_alloc&) {
        // Dropped, like a message that cannot be written.
    }
}

int Console::finish(int code, int failure) {
    out.flush();
    if (out.error() == 0 || out.error() == EPIPE) return code;  // who closes a pipe has seen enough
    error(fmt::format("cannot write to standard output: {}", std::strerror(out.error())));
    return failure;
}

std::optional<std::size_t> message_screen_width() {
    return environment("TERM") == "dumb" ? std::nullopt : terminal_width(STDERR_FILENO);
}

}  // namespace ggufkit::tool
