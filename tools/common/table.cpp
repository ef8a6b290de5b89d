#include "common/table.hpp"

#include <algorithm>
#include <utility>

#include "common/markdown.hpp"
#include "common/text.hpp"

namespace ggufkit::tool {

namespace {

constexpr std::size_t gap = 2;
constexpr std::size_t least = 8;     // columns that a text which may be cut keeps
constexpr std::size_t legible = 24;  // and a name, while there are spare columns
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

// Takes room from columns until a line fits.
class Squeeze {
  public:
    Squeeze(const std::vector<Column>& columns, std::vector<std::size_t>& widths, std::size_t indent, std::size_t limit)
        : columns_(columns), widths_(widths), total_(indent), limit_(limit) {
        for (const std::size_t width : widths_) total_ += width + (width == 0 ? 0 : gap);
        total_ -= std::min(total_, gap);  // after the last column there is none
    }

    void run() {
        drop(Cut::drop, [&] { return total_ > limit_; });
        drop(Cut::spare, [&] { return total_ - std::min(total_, beyond_legible()) > limit_; });
        for (const std::size_t name : {legible, least}) {
            while (total_ > limit_ && cut_widest(name)) {
            }
        }
    }

  private:
    template <class Condition>
    void drop(Cut kind, Condition needed) {
        for (std::size_t i = columns_.size(); i-- > 0 && needed();) {
            if (columns_[i].cut == kind && widths_[i] != 0) total_ -= std::exchange(widths_[i], 0) + gap;
        }
    }

    // Whether column `i` has more than it must keep, a name (which says little without its middle) `name` columns.
    bool has_room(std::size_t i, std::size_t name) const { return shrinks(columns_[i]) && widths_[i] > floor(i, name); }
    std::size_t floor(std::size_t i, std::size_t name) const { return columns_[i].cut == Cut::middle ? name : least; }

    // What cutting all that may be cut would gain, names only down to what is legible.
    std::size_t beyond_legible() const {
        std::size_t sum = 0;
        for (std::size_t i = 0; i < columns_.size(); ++i)
            if (has_room(i, legible)) sum += widths_[i] - floor(i, legible);
        return sum;
    }

    // Down to the second widest at once: texts may be megabytes long.
    bool cut_widest(std::size_t name) {
        std::size_t widest = columns_.size();
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (has_room(i, name) && (widest == columns_.size() || widths_[i] > widths_[widest])) widest = i;
        }
        if (widest == columns_.size()) return false;
        std::size_t next = floor(widest, name);
        for (std::size_t i = 0; i < columns_.size(); ++i) {
            if (i != widest && has_room(i, name)) next = std::max(next, std::min(widths_[i], widths_[widest] - 1));
        }
        const std::size_t less = std::min(total_ - limit_, widths_[widest] - next);
        widths_[widest] -= less;
        total_ -= less;
        return true;
    }

    const std::vector<Column>& columns_;
    std::vector<std::size_t>& widths_;
    std::size_t total_;
    std::size_t limit_;
};

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
    if (limit) {
        Squeeze(columns_, widths, indent_.size(), *limit).run();
    } else {
        for (std::size_t& width : widths) width = std::min(width, widest_pad);
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
    if (console.ascii()) {  // before anything is measured
        Table same = *this;
        for (auto& row : same.rows_)
            for (Cell& cell : row) cell.text = in_ascii(cell.text), cell.tail = in_ascii(cell.tail);
        return same.print_lines(console, width);
    }
    print_lines(console, width);
}

void Table::print_lines(Console& console, std::optional<std::size_t> width) const {
    const auto columns = widths(width);
    if (std::ranges::any_of(columns_, [](const Column& column) { return !column.title.empty(); })) {
        std::vector<Cell> titles;
        titles.reserve(columns_.size());
        for (const Column& column : columns_) titles.emplace_back(column.title, Style::bold);
        console.out.print("{}\n", line(console, titles, columns, width.has_value()));
    }
    for (const auto& row : rows_) console.out.print("{}\n", line(console, row, columns, width.has_value()));
}

}  // namespace ggufkit::tool
