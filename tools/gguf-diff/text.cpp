#include <algorithm>
#include <utility>

#include "common/text.hpp"
#include "core/text.hpp"
#include "numbers.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

// "tensors: 44 retyped, 13 equal"; empty where there is nothing to count.
class Sums {
  public:
    explicit Sums(std::string_view what) : what_(what) {}
    void add(std::uint64_t count, std::string_view state) {
        if (count != 0) text_ += fmt::format("{} {} {}", text_.empty() ? what_ + ":" : ",", grouped(count), state);
    }
    const std::string& line() const { return text_; }

  private:
    std::string what_;
    std::string text_;
};

std::uint64_t count(const auto& changes, auto which) {
    return static_cast<std::uint64_t>(std::ranges::count_if(changes, which));
}

std::string key_counts(const Diff& diff) {
    Sums keys("keys");
    keys.add(count(diff.metadata, [](const KeyChange& k) { return !k.b; }), "removed");
    keys.add(count(diff.metadata, [](const KeyChange& k) { return !k.a; }), "added");
    keys.add(count(diff.metadata, [](const KeyChange& k) { return k.a && k.b; }), "changed");
    return keys.line();
}

std::string tensor_counts(const Diff& diff) {
    using Tensor = TensorChange;
    Sums tensors("tensors");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.b == nullptr; }), "removed");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.a == nullptr; }), "added");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.renamed; }), "renamed");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.retyped; }), "retyped");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.reshaped; }), "reshaped");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.bytes_differ; }), "with other bytes");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.rescaled; }), "with another factor in .scale");
    tensors.add(diff.tensors_equal, "equal");
    return tensors.line();
}

std::string values_line(const Comparison& comparison) {
    if (comparison.pairs.empty()) return {};
    const ErrorSums sums = whole(comparison);
    std::string text = fmt::format("values: relative error {}, SQNR {}", error_text(sums),
                                   is_known(sums) ? decibel(sums.sqnr_db()) : "–");
    if (const auto weighted = sums.weighted_relative_rmse()) text += fmt::format(", weighted {}", percent(*weighted));
    return text + fmt::format(", {} weights{}", human_count(sums.elements), left_out_text(sums));
}

}  // namespace

void print_sentence(Console& console, std::string_view text, Style style, std::size_t styled) {
    const std::size_t width = console.width().value_or(text.size());
    std::string line;
    const auto flush = [&] {
        const std::string_view all = line;
        const std::size_t head = std::min(std::exchange(styled, 0), all.size());
        console.out.print("{}{}\n", head == 0 ? "" : console.paint(style, all.substr(0, head)), all.substr(head));
        line = "  ";
    };
    while (!text.empty()) {
        std::size_t end = text.find(' ');
        while (end != text.npos && text.substr(end).starts_with(" %")) end = text.find(' ', end + 1);  // of its number
        const std::string_view word = text.substr(0, end);
        text.remove_prefix(std::min(text.size(), word.size() + 1));
        const bool begun = !line.empty() && line != "  ";
        if (begun && display_width(line) + 1 + display_width(word) > width) {
            flush();
        } else if (begun) {
            line += ' ';
        }
        line += word;
    }
    flush();
}

void print_sample(Console& console, std::uint64_t sample) {
    if (sample == 0) return;
    print_sentence(console, fmt::format("sample: {} runs of up to 2,048 weights a tensor; errors with 95 % confidence",
                                        grouped(sample)));
}

namespace {

// A sample shows less.
void print_same(Console& console, const Comparison& comparison) {
    const std::string_view words = comparison.sample == 0 ? "the same" : "no difference found";
    console.out.print("{}: {}\n", console.paint(Style::green, words),
                      counted(comparison.diff.tensors_equal, "equal tensor"));
    print_sample(console, comparison.sample);
}

}  // namespace

void print_text(Console& console, const Comparison& comparison, bool in_full) {
    const Diff& diff = comparison.diff;
    if (diff.same()) return print_same(console, comparison);
    console.out.print("{} {}\n", console.paint(Style::red, "---"), printable(comparison.names.a));
    console.out.print("{} {}\n", console.paint(Style::green, "+++"), printable(comparison.names.b));
    print_keys(console, diff.metadata);
    print_details(console, comparison, in_full);
    print_tensors(console, comparison, in_full);
    console.out.write("\n");
    for (const std::string& line : {key_counts(diff), tensor_counts(diff), values_line(comparison)}) {
        if (!line.empty()) print_sentence(console, line);
    }
    print_sample(console, comparison.sample);
}

void print_brief(Console& console, const Comparison& comparison) {
    const Diff& diff = comparison.diff;
    if (diff.same()) return print_same(console, comparison);
    console.out.print("{}\n", console.paint(Style::red, "different"));
    for (const std::string& line : {key_counts(diff), tensor_counts(diff)}) {
        if (!line.empty()) console.out.print("{}\n", line);
    }
    print_sample(console, comparison.sample);
}

}  // namespace ggufkit::tool::diff
