#include <algorithm>

#include "common/text.hpp"
#include "core/text.hpp"
#include "numbers.hpp"
#include "views.hpp"

namespace ggufkit::diff {

using namespace cli;

namespace {

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

std::string counts(const Diff& diff) {
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
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.renamed; }), "renamed");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.retyped; }), "retyped");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.reshaped; }), "reshaped");
    tensors.add(count(diff.tensors, [](const Tensor& t) { return t.bytes_differ; }), "with other bytes");
    tensors.add(diff.tensors_equal, "equal");
    return keys.line() + tensors.line();
}

std::string values_line(const Comparison& comparison) {
    if (comparison.pairs.empty()) return {};
    const ErrorSums sums = whole(comparison);
    std::string text =
        fmt::format("values: relative error {}, SQNR {}", percent(sums.relative_rmse()), decibel(sums.sqnr_db()));
    if (const auto weighted = sums.weighted_relative_rmse()) text += fmt::format(", weighted {}", percent(*weighted));
    return text + fmt::format(", {} weights\n", human_count(sums.elements));
}

}  // namespace

void print_sample(Console& console, std::uint64_t sample) {
    if (sample == 0) return;
    console.out.print("sample: {} runs of up to 2,048 weights of each tensor; errors with 95 % confidence\n",
                      grouped(sample));
}

void print_text(Console& console, const Comparison& comparison, bool in_full) {
    const Diff& diff = comparison.diff;
    if (diff.same()) {
        const std::string_view words = comparison.sample == 0 ? "the same" : "no difference found";
        console.out.print("{}: {}\n", console.paint(Style::green, words), counted(diff.tensors_equal, "equal tensor"));
        print_sample(console, comparison.sample);
        return;
    }
    console.out.print("{} {}\n", console.paint(Style::red, "---"), printable(comparison.names.a));
    console.out.print("{} {}\n", console.paint(Style::green, "+++"), printable(comparison.names.b));
    print_keys(console, diff.metadata);
    print_details(console, comparison, in_full);
    print_tensors(console, comparison, in_full);
    console.out.print("\n{}{}", counts(diff), values_line(comparison));
    print_sample(console, comparison.sample);
}

void print_brief(Console& console, const Diff& diff) {
    if (diff.same()) {
        console.out.print("{}: {}\n", console.paint(Style::green, "the same"),
                          counted(diff.tensors_equal, "equal tensor"));
    } else {
        console.out.print("{}\n{}", console.paint(Style::red, "different"), counts(diff));
    }
}

}  // namespace ggufkit::diff
