// Rows in columns that line up, cut to the width of the screen.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "common/console.hpp"

namespace ggufkit::tool {

// What becomes of a column where there is no room for it. Those that may be dropped give way first, the last one before
// the others; then texts are cut at their end, and names in their middle while they are legible; then the spare columns are
// dropped before names are cut to less.
enum class Cut : std::uint8_t { never, end, middle, spare, drop };

struct Column {
    std::string_view title{};
    bool right = false;  // numbers
    Cut cut = Cut::never;
    Style style = Style::plain;
    std::size_t least = 0;  // columns that it takes, however short its texts
};

struct Cell {
    Cell(std::string text, Style style = Style::plain, std::string tail = {})
        : text(std::move(text)), tail(std::move(tail)), style(style) {}
    Cell(std::string_view text, Style style = Style::plain) : Cell(std::string(text), style) {}
    Cell(const char* text, Style style = Style::plain) : Cell(std::string(text), style) {}

    std::string text;
    std::string tail;  // follows a text that had to be cut: its length
    Style style;       // plain: that of the column
};

class Table {
  public:
    explicit Table(std::vector<Column> columns, std::string_view indent = {})
        : columns_(std::move(columns)), indent_(indent) {}

    void add(std::vector<Cell> row) { rows_.push_back(std::move(row)); }
    bool empty() const { return rows_.empty(); }
    std::size_t size() const { return rows_.size(); }

    // Titles, where there are any, and rows. Without `width` nothing is cut. A table of Markdown where the console writes
    // that: with all of its titles, and long texts cut at a width of their own.
    void print(Console& console, std::optional<std::size_t> width) const;

  private:
    void print_lines(Console& console, std::optional<std::size_t> width) const;
    std::vector<std::size_t> widths(std::optional<std::size_t> limit) const;
    std::string line(const Console& console, const std::vector<Cell>& row, const std::vector<std::size_t>& widths,
                     bool cut) const;
    void print_markdown(Console& console) const;

    std::vector<Column> columns_;
    std::string indent_;
    std::vector<std::vector<Cell>> rows_;
};

}  // namespace ggufkit::tool
