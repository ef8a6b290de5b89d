#include "common/table.hpp"

#include <algorithm>
#include <utility>

#include "common/markdown.hpp"
#include "common/text.hpp"

namespace ggufkit::cli {

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t least = 8;  // columns that a text which may be cut keeps
constexpr std::size_t markdown_width = 120;
constexpr std::size_t widest_pad = 100;  // where nothing is cut, one very long name does not push all rows apart

bool shrinks(const Column& column) { return column.cut == Cut::end || column.cut == Cut::middle; }

std::string cut_to(const Cell& cell, Cut cut, std::size_t width) {
    if (display_width(cell.text) <= width) return cell.text;
    if (cut == Cut::middle) return elide_middle(cell.text, width);
    const std::size_t tail = display_width(cell.tail);
    if (tail == 0 || tail + least > width) return elide(cell.text, width);
    return elide(cell.text, width - tail) + cell.tail;
}

}  // namespace

// Every column as wide as its widest text (0: it is empty and left out, its title too); then, column by column, the
// widest of those that may be cut gives way.
std::vector<std::size_t> Table::widths(std::optional<std::size_t> limit) const {
    std::vector<std::size_t> widths(columns_.size());
    for (const auto& row : rows_) {
        for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], display_width(row[i].text));
    }
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (widths[i] != 0) widths[i] = std::max({widths[i], display_width(columns_[i].title), columns_[i].least});
    }
    if (!limit) {
        for (std::size_t& width : widths) width = std::min(width, widest_pad);
        return widths;
    }
    std::size_t total = indent_.size();
    for (const std::size_t width : widths) total += width + (width == 0 ? 0 : gap);
    total -= std::min(total, gap);  // after the last column there is none
    for (std::size_t i = columns_.size(); i-- > 0 && total > *limit;) {
        if (columns_[i].cut == Cut::drop && widths[i] != 0) total -= std::exchange(widths[i], 0) + gap;
    }
    while (total > *limit) {
        std::size_t widest = columns_.size();
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (!shrinks(columns_[i]) || widths[i] <= least) continue;
            if (widest == columns_.size() || widths[i] > widths[widest]) widest = i;
        }
        if (widest == columns_.size()) break;
        // Down to the second widest at once: texts may be megabytes long.
        std::size_t next = least;
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (i != widest && shrinks(columns_[i])) next = std::max(next, std::min(widths[i], widths[widest] - 1));
        }
        const std::size_t less = std::min(total - *limit, widths[widest] - next);
        widths[widest] -= less;
        total -= less;
    }
    return widths;
}

std::string Table::line(const Console& console, const std::vector<Cell>& row, const std::vector<std::size_t>& widths,
                        bool cut) const {
    std::string line = indent_;
    std::size_t pending = 0;  // spaces that are only printed before more text
    for (std::size_t i = 0; i < row.size(); ++i) {
        if (widths[i] == 0) continue;
        const Column& column = columns_[i];
        const std::string text = cut && shrinks(column) ? cut_to(row[i], column.cut, widths[i]) : row[i].text;
        const std::size_t width = display_width(text);
        const std::size_t padding = widths[i] > width ? widths[i] - width : 0;
        if (!text.empty()) {
            line.append(pending + (column.right ? padding : 0), ' ');
            line += console.paint(row[i].style == Style::plain ? column.style : row[i].style, text);
            pending = column.right ? 0 : padding;
        } else {
            pending += widths[i];
        }
        pending += gap;
    }
    return line;
}

// A column that is empty in all rows is left out here too. Without any title the first row of a table would be taken
// for them: it gets empty ones.
void Table::print_markdown(Console& console) const {
    const auto columns = widths(std::nullopt);
    std::string titles = "|", rule = "|";
    for (std::size_t i = 0; i < columns_.size(); ++i) {
        if (columns[i] == 0) continue;
        titles += fmt::format(" {} |", columns_[i].title);
        rule += columns_[i].right ? " ---: |" : " --- |";
    }
    console.out.print("{}\n{}\n", titles, rule);
    for (const auto& row : rows_) {
        std::string line = "|";
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (columns[i] == 0) continue;
            const bool whole = !shrinks(columns_[i]);
            line += fmt::format(" {} |",
                                markdown_text(whole ? row[i].text : cut_to(row[i], columns_[i].cut, markdown_width)));
        }
        console.out.print("{}\n", line);
    }
}

void Table::print(Console& console, std::optional<std::size_t> width) const {
    if (console.markdown()) return print_markdown(console);
    const auto columns = widths(width);
    if (std::ranges::any_of(columns_, [](const Column& column) { return !column.title.empty(); })) {
        std::vector<Cell> titles;
        titles.reserve(columns_.size());
        for (const Column& column : columns_) titles.emplace_back(column.title, Style::bold);
        console.out.print("{}\n", line(console, titles, columns, width.has_value()));
    }
    for (const auto& row : rows_) console.out.print("{}\n", line(console, row, columns, width.has_value()));
}

}  // namespace ggufkit::cli
