// Where a tool prints.
//
// Purpose: standard output as a buffered stream whose failures are noticed (a full disk is an error, a reader that left
// is not), messages on standard error, and what is known about the screen behind them.
// Thread-safety: none; one thread prints.
#pragma once

#include <fmt/format.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace ggufkit::tool {

enum class Style : std::uint8_t { plain, bold, dim, red, green, yellow, cyan };
enum class Color : std::uint8_t { automatic, always, never };

// Standard output, or text for another purpose.
class Output {
  public:
    enum class Sink : std::uint8_t { standard_output, memory };

    explicit Output(Sink sink = Sink::standard_output);
    Output(const Output&) = delete;
    Output& operator=(const Output&) = delete;

    // Text for people: in ASCII on standard output where the locale has no more.
    void write(std::string_view text);
    // Bytes for programs and files, as they are.
    void write_raw(std::string_view bytes) {
        buffer_ += bytes;
        if (sink_ == Sink::standard_output && buffer_.size() >= flush_at) flush();
    }
    // From now on write() does as write_raw().
    void keep_utf8() { ascii_ = false; }
    template <class... Args>
    void print(fmt::format_string<Args...> format, Args&&... args) {
        write(fmt::format(format, std::forward<Args>(args)...));
    }

    void flush();
    // What was written, of an output in memory.
    std::string take() { return std::exchange(buffer_, {}); }
    // What made a write fail, 0 where nothing did. Nothing is written after a failure.
    int error() const { return error_; }

  private:
    static constexpr std::size_t flush_at = 64 << 10;
    Sink sink_;
    bool ascii_;
    std::string buffer_;
    int error_ = 0;
};

class Console {
  public:
    // `tool` begins every message.
    Console(std::string_view tool, Color color);

    Output out;

    // How wide lines may be: COLUMNS where it is set, else the width of the terminal; no limit where output goes
    // elsewhere.
    std::optional<std::size_t> width() const { return width_; }

    // Tables, headings and texts as GitHub's Markdown, for a model card: without colour, whatever the width of the screen.
    void write_markdown();
    bool markdown() const { return markdown_; }

    // Begins a part of the output: an empty line, but before the first, and in Markdown a heading.
    void section(std::string_view title);

    // Whether text for people has to do with ASCII.
    bool ascii() const;

    // Whether standard output is one, which nothing but text may reach.
    bool terminal() const { return terminal_; }

    // `text` as standard output is to show it.
    std::string paint(Style style, std::string_view text) const;

    // "gguf-info: message" on standard error, made safe to show.
    void error(std::string_view message) const;

    // Writes out what is buffered. `code`, or `failure` with a message where standard output could not be written.
    int finish(int code, int failure);

  private:
    std::string tool_;
    bool color_out_;
    bool color_err_;
    std::optional<std::size_t> width_;
    bool terminal_;
    bool markdown_ = false;
    bool began_ = false;  // a section
};

// The width of the terminal behind standard error, where there is one that can move its cursor: a progress bar needs
// it.
std::optional<std::size_t> message_screen_width();

}  // namespace ggufkit::tool
