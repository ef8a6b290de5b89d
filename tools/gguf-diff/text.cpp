#include <algorithm>
#include <vector>

#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "views.hpp"

namespace ggufkit::diff {

using namespace cli;

namespace {

Cell sign(bool in_a, bool in_b) {
    if (!in_b) return {"-", Style::red};
    if (!in_a) return {"+", Style::green};
    return {"~", Style::yellow};
}

// ---------------------------------------------------------------- metadata

// Where two long texts begin to differ, with some of what is around it; or the length of the shorter one.
struct TextDifference {
    static constexpr std::size_t before = 8, shown = 24;
    static constexpr std::size_t short_text = 40;  // is shown whole

    std::size_t at;
    std::string a;
    std::string b;

    static std::string excerpt(std::string_view text, std::size_t at) {
        const std::size_t begin = at > before ? at - before : 0;
        const std::string_view part = text.substr(begin, shown);
        return fmt::format("{}{}{}", begin == 0 ? "" : "…", printable(part),
                           begin + part.size() < text.size() ? "…" : "");
    }
    TextDifference(std::string_view text_a, std::string_view text_b) {
        const auto [in_a, in_b] = std::ranges::mismatch(text_a, text_b);
        at = static_cast<std::size_t>(in_a - text_a.begin());
        // Back to the beginning of a character.
        while (at > 0 && at < text_a.size() && (static_cast<unsigned char>(text_a[at]) & 0xc0) == 0x80) --at;
        a = excerpt(text_a, at);
        b = excerpt(text_b, at);
    }
};

// The first element that differs, where two arrays of one type do.
std::string array_change(const ArrayView& a, const ArrayView& b) {
    const auto [in_a, in_b] = std::ranges::mismatch(a, b);
    if (in_a == a.end() || in_b == b.end()) {
        return fmt::format("{} → {} elements, the first {} are equal", grouped(a.size()), grouped(b.size()),
                           grouped(std::min(a.size(), b.size())));
    }
    std::uint64_t index = 0;
    for (auto it = a.begin(); it != in_a; ++it) ++index;
    return fmt::format(
        "{}[{}]: {} → {}",
        a.size() == b.size() ? "" : fmt::format("{} → {} elements; ", grouped(a.size()), grouped(b.size())), index,
        element_text(*in_a), element_text(*in_b));
}

std::string value_change(const ValueView& a, const ValueView& b) {
    if (a.type() == b.type()) {
        if (const auto array_a = a.as_array(), array_b = b.as_array();
            array_a && array_b && array_a->element_type() == array_b->element_type()) {
            return array_change(*array_a, *array_b);
        }
        if (const auto text_a = a.as_string(), text_b = b.as_string(); text_a && text_b) {
            if (std::max(text_a->size(), text_b->size()) > TextDifference::short_text) {
                const TextDifference first(*text_a, *text_b);
                return fmt::format("at byte {}: {} → {}", grouped(first.at), first.a, first.b);
            }
        }
    }
    return fmt::format("{} → {}", value_cell(a).text, value_cell(b).text);
}

void add_key(Table& table, const KeyChange& change) {
    std::string type, value;
    if (change.a && change.b) {
        type = type_text(*change.a);
        if (const std::string other = type_text(*change.b); other != type) type += " → " + other;
        value = value_change(*change.a, *change.b);
    } else {
        const ValueView& only = change.a ? *change.a : *change.b;
        type = type_text(only);
        value = value_cell(only).text;
    }
    table.add({sign(change.a.has_value(), change.b.has_value()), printable(change.key), type, value});
}

// ---------------------------------------------------------------- tensors

std::string arrow(const std::string& a, const std::string& b) { return a == b ? a : fmt::format("{} → {}", a, b); }

void add_tensor(Table& table, const TensorChange& change) {
    const TensorInfo& a = *(change.a == nullptr ? change.b : change.a);
    const TensorInfo& b = *(change.b == nullptr ? change.a : change.b);
    constexpr std::size_t digits = 12;  // enough to tell them apart; --json has all 32
    std::string bytes;
    if (change.bytes_differ)
        bytes = arrow(change.digest_a->hex().substr(0, digits), change.digest_b->hex().substr(0, digits));
    table.add({sign(change.a != nullptr, change.b != nullptr), printable(change.name),
               arrow(type_text(a), type_text(b)),
               change.reshaped ? arrow(shape_text(a.shape()), shape_text(b.shape())) : shape_text(a.shape()), bytes});
}

// ---------------------------------------------------------------- the last lines

// "tensors: 44 retyped, 13 equal"; empty where there is nothing to count.
class Sums {
  public:
    explicit Sums(std::string_view what) : what_(what) {}
    void add(std::uint64_t count, std::string_view state) {
        if (count != 0) text_ += fmt::format("{} {} {}", text_.empty() ? what_ + ":" : ",", grouped(count), state);
    }
    std::string line() const { return text_.empty() ? "" : text_ + "\n"; }

  private:
    std::string what_;
    std::string text_;
};

std::string closing_lines(const Diff& diff) {
    const auto count = [](const auto& changes, auto which) {
        return static_cast<std::uint64_t>(std::ranges::count_if(changes, which));
    };
    using Tensor = TensorChange;
    Sums keys("keys");
    keys.add(count(diff.metadata, [](const KeyChange& k) { return !k.b; }), "removed");
    keys.add(count(diff.metadata, [](const KeyChange& k) { return !k.a; }), "added");
    keys.add(count(diff.metadata, [](const KeyChange& k) { return k.a && k.b; }), "changed");
    Sums tensors("tensors");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.b == nullptr; }), "removed");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.a == nullptr; }), "added");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.retyped; }), "retyped");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.reshaped; }), "reshaped");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.bytes_differ; }), "with other bytes");
    tensors.add(diff.tensors_equal, "equal");
    return keys.line() + tensors.line();
}

}  // namespace

void print_text(Console& console, const Diff& diff, const Names& names) {
    if (diff.same()) {
        console.out.print("{}: {}\n", console.paint(Style::green, "the same"),
                          counted(diff.tensors_equal, "equal tensor"));
        return;
    }
    console.out.print("{} {}\n", console.paint(Style::red, "---"), printable(names.a));
    console.out.print("{} {}\n", console.paint(Style::green, "+++"), printable(names.b));
    if (!diff.metadata.empty()) {
        console.out.write("\n");
        Table table({{},
                     {.title = "KEY", .cut = Cut::middle},
                     {.title = "TYPE", .style = Style::dim},
                     {.title = "VALUE", .cut = Cut::end}});
        for (const KeyChange& change : diff.metadata) add_key(table, change);
        table.print(console, console.width());
    }
    if (!diff.tensors.empty()) {
        console.out.write("\n");
        Table table({{},
                     {.title = "TENSOR", .cut = Cut::middle},
                     {.title = "TYPE"},
                     {.title = "SHAPE"},
                     {.title = "DIGEST", .style = Style::dim}});
        for (const TensorChange& change : diff.tensors) add_tensor(table, change);
        table.print(console, console.width());
    }
    console.out.print("\n{}", closing_lines(diff));
}

}  // namespace ggufkit::diff
