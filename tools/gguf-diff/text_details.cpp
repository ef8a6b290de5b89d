// Long values of metadata: texts by line, arrays by element, tokenizers in numbers.
#include <algorithm>
#include <array>

#include "common/show.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "diff/sequences.hpp"
#include "numbers.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

constexpr std::size_t most_lines = 40;         // of one value
constexpr std::size_t widest_in_a_pipe = 200;  // templates are often one long line

// Prints lines of a value until there are enough of them.
class Lines {
  public:
    Lines(Console& console, bool in_full)
        : console_(console), most_(in_full ? std::numeric_limits<std::size_t>::max() : most_lines) {
        const std::size_t room = console.width().value_or(in_full ? std::string::npos : widest_in_a_pipe);
        width_ = room - std::min<std::size_t>(room - 8, 5);
    }
    std::size_t width() const { return width_; }

    void print(Style style, char sign, std::string_view text) {
        if (++count_ > most_) return;
        console_.out.print("   {}\n", console_.paint(style, fmt::format("{}{}", sign, elide(text, width_))));
    }
    // So that no more of them need be made.
    bool full() const { return count_ >= most_; }
    void skip(std::uint64_t lines) { count_ += lines; }
    void finish() const {
        if (count_ <= most_) return;
        console_.out.print("   {}\n", console_.paint(Style::dim, fmt::format("… and {} more: --all shows them",
                                                                             counted(count_ - most_, "line"))));
    }

  private:
    Console& console_;
    std::size_t most_;
    std::size_t width_ = 0;
    std::size_t count_ = 0;
};

Style style_of(Edit::Kind kind) {
    if (kind == Edit::Kind::remove) return Style::red;
    return kind == Edit::Kind::add ? Style::green : Style::plain;
}

char sign_of(Edit::Kind kind) {
    if (kind == Edit::Kind::remove) return '-';
    return kind == Edit::Kind::add ? '+' : ' ';
}

// "@@ -3,4 +3,5 @@", counted from `base`.
void print_place(Lines& lines, const Hunk& hunk, std::uint64_t base) {
    lines.print(Style::cyan, '@',
                fmt::format("@ -{},{} +{},{} @@", hunk.a + base, hunk.count_a, hunk.b + base, hunk.count_b));
}

// ---------------------------------------------------------------- texts

// Where a line that is taken out differs from the one that is put in its place, so that long lines can be cut before it.
std::size_t common_head(std::string_view a, std::string_view b) {
    return static_cast<std::size_t>(std::ranges::mismatch(a, b).in1 - a.begin());
}

std::string line_text(std::string_view line, std::size_t differs_at, std::size_t width) {
    constexpr std::size_t before = 20;
    if (line.size() <= width || differs_at < width / 2) return printable(line.substr(0, 4 * width));
    std::size_t begin = differs_at - before;
    while (begin > 0 && (static_cast<unsigned char>(line[begin]) & 0xc0) == 0x80) --begin;
    return "…" + printable(line.substr(begin, 4 * width));
}

void print_hunk(Lines& lines, const Hunk& hunk, const std::vector<std::string_view>& a,
                const std::vector<std::string_view>& b) {
    print_place(lines, hunk, 1);
    for (std::size_t i = 0; i < hunk.edits.size(); ++i) {
        const Edit& edit = hunk.edits[i];
        const bool removed = edit.kind == Edit::Kind::remove, added = edit.kind == Edit::Kind::add;
        // The edit that this one replaces, or is replaced by.
        const Edit* other = nullptr;
        if (removed && i + 1 < hunk.edits.size()) other = &hunk.edits[i + 1];
        if (added && i > 0) other = &hunk.edits[i - 1];
        if (other != nullptr && other->kind == Edit::Kind::keep) other = nullptr;
        for (std::uint64_t n = 0; n < edit.count; ++n) {
            if (lines.full()) {
                lines.skip(edit.count - n);
                break;
            }
            const std::string_view line = added ? b[edit.b + n] : a[edit.a + n];
            std::size_t differs_at = 0;
            if (other != nullptr && n < other->count) {
                differs_at = common_head(line, removed ? b[other->b + n] : a[other->a + n]);
            }
            lines.print(style_of(edit.kind), sign_of(edit.kind), line_text(line, differs_at, lines.width()));
        }
    }
}

void print_text_change(Console& console, std::string_view a, std::string_view b, bool in_full) {
    Lines lines(console, in_full);
    const auto in_a = lines_of(a), in_b = lines_of(b);
    for (const Hunk& hunk : diff_lines(a, b)) print_hunk(lines, hunk, in_a, in_b);
    if (a.ends_with('\n') != b.ends_with('\n')) {
        lines.print(Style::dim, '\\', fmt::format(" {} ends with a newline", a.ends_with('\n') ? "only A" : "only B"));
    }
    lines.finish();
}

// ---------------------------------------------------------------- arrays

// Elements from one that is wanted on: strings are found by walking, so they are asked for in order.
class Walk {
  public:
    explicit Walk(const ArrayView& array) : it_(array.begin()) {}
    std::string operator[](std::uint64_t index) {
        for (; at_ < index; ++at_) ++it_;
        return element_text(*it_);
    }

  private:
    ArrayView::iterator it_;
    std::uint64_t at_ = 0;
};

void print_array_change(Console& console, const ArrayView& a, const ArrayView& b, bool in_full) {
    Lines lines(console, in_full);
    Walk in_a(a), in_b(b);
    for (const Hunk& hunk : diff_elements(a, b)) {
        print_place(lines, hunk, 0);
        for (const Edit& edit : hunk.edits) {
            const bool added = edit.kind == Edit::Kind::add;
            for (std::uint64_t n = 0; n < edit.count; ++n) {
                if (lines.full()) {
                    lines.skip(edit.count - n);
                    break;
                }
                const std::uint64_t index = (added ? edit.b : edit.a) + n;
                lines.print(style_of(edit.kind), sign_of(edit.kind),
                            fmt::format("[{}] {}", index, added ? in_b[index] : in_a[index]));
            }
        }
    }
    lines.finish();
}

// ---------------------------------------------------------------- tokenizers

std::string list_text(std::string_view what, const ListChange& list) {
    std::string text = fmt::format("{}: {}", what, grouped(list.size_a));
    if (list.size_a != list.size_b) text += " → " + grouped(list.size_b);
    return text + fmt::format("; {} added, {} removed, {} moved", grouped(list.added), grouped(list.removed),
                              grouped(list.moved));
}

void print_list(Lines& lines, std::string_view what, const ListChange& list) {
    if (list.added + list.removed + list.moved == 0) return;
    lines.print(Style::plain, ' ', list_text(what, list));
    const auto show = [&](char sign, Style style, std::span<const std::string_view> first, std::uint64_t count) {
        if (count == 0) return;
        std::string text;
        for (const std::string_view string : first)
            text += fmt::format("  {}", element_text(Value::of_string(string).view()));
        if (count > first.size()) text += fmt::format("  … {} more", grouped(count - first.size()));
        lines.print(style, sign, text);
    };
    show('-', Style::red, list.first_removed, list.removed);
    show('+', Style::green, list.first_added, list.added);
}

void print_tokenizer(Console& console, const TokenizerChange& change) {
    console.out.print("\n{} {}\n", console.paint(Style::yellow, "~"), console.paint(Style::bold, "tokenizer"));
    Lines lines(console, false);
    print_list(lines, "tokens", change.tokens);
    print_list(lines, "merges", change.merges);
    if (change.scores > 0) {
        lines.print(Style::plain, ' ',
                    fmt::format("scores: {} of tokens that both have differ, by {} at most", grouped(change.scores),
                                short_number(change.max_score_change)));
    }
    if (change.types > 0) {
        lines.print(Style::plain, ' ', fmt::format("types: {} of tokens that both have differ", grouped(change.types)));
    }
}

}  // namespace

bool is_tokenizer_list(std::string_view key) {
    constexpr std::array<std::string_view, 4> keys{"tokenizer.ggml.tokens", "tokenizer.ggml.merges",
                                                   "tokenizer.ggml.scores", "tokenizer.ggml.token_type"};
    return std::ranges::find(keys, key) != keys.end();
}

bool has_details(const KeyChange& change) {
    if (!change.a || !change.b || change.a->type() != change.b->type() || is_tokenizer_list(change.key)) return false;
    if (const auto a = change.a->as_string(), b = change.b->as_string(); a && b) {
        return std::max(a->size(), b->size()) > short_text && can_diff(*a, *b);
    }
    const auto a = change.a->as_array(), b = change.b->as_array();
    return a && b && can_diff(*a, *b);
}

void print_details(Console& console, const Comparison& comparison, bool in_full) {
    for (const KeyChange& change : comparison.diff.metadata) {
        if (!has_details(change)) continue;
        console.out.print("\n{} {}\n", console.paint(Style::yellow, "~"),
                          console.paint(Style::bold, printable(change.key)));
        if (const auto a = change.a->as_string()) {
            print_text_change(console, *a, *change.b->as_string(), in_full);
        } else {
            print_array_change(console, *change.a->as_array(), *change.b->as_array(), in_full);
        }
    }
    if (comparison.tokenizer) print_tokenizer(console, *comparison.tokenizer);
}

}  // namespace ggufkit::tool::diff
