// Lines and elements as numbers: equal ones have the same.
#include <algorithm>
#include <array>
#include <string>
#include <unordered_map>

#include "diff/sequences.hpp"

namespace ggufkit {

namespace {

class Numbering {
  public:
    std::uint64_t of(std::string_view text) {
        return known_.try_emplace(std::string(text), known_.size()).first->second;
    }

  private:
    std::unordered_map<std::string, std::uint64_t> known_;
};

std::vector<std::uint64_t> numbers_of(const ArrayView& array, Numbering& numbering) {
    std::vector<std::uint64_t> numbers;
    numbers.reserve(array.size());
    for (const ValueView element : array) {
        const Value plain = Value::copy_of(element);  // little-endian, whatever the file
        const auto bytes = plain.view().bytes();
        numbers.push_back(numbering.of({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
    }
    return numbers;
}

}  // namespace

std::vector<std::string_view> lines_of(std::string_view text) {
    std::vector<std::string_view> lines;
    while (!text.empty()) {
        const std::size_t end = std::min(text.find('\n'), text.size());
        lines.push_back(text.substr(0, end));
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return lines;
}

bool can_diff(std::string_view a, std::string_view b) {
    return std::ranges::all_of(std::array{a, b}, [](std::string_view text) {
        return static_cast<std::uint64_t>(std::ranges::count(text, '\n')) < longest_to_diff;
    });
}

bool can_diff(const ArrayView& a, const ArrayView& b) {
    return a.element_type() == b.element_type() && std::max(a.size(), b.size()) <= longest_to_diff;
}

std::vector<Hunk> diff_lines(std::string_view a, std::string_view b, std::uint64_t context) {
    if (!can_diff(a, b)) return {};
    Numbering numbering;
    const auto numbers = [&](std::string_view text) {
        std::vector<std::uint64_t> result;
        for (const std::string_view line : lines_of(text)) result.push_back(numbering.of(line));
        return result;
    };
    const auto in_a = numbers(a), in_b = numbers(b);
    return hunks_of(edits_between(in_a, in_b), context);
}

std::vector<Hunk> diff_elements(const ArrayView& a, const ArrayView& b, std::uint64_t context) {
    if (!can_diff(a, b)) return {};
    Numbering numbering;
    const auto in_a = numbers_of(a, numbering), in_b = numbers_of(b, numbering);
    return hunks_of(edits_between(in_a, in_b), context);
}

}  // namespace ggufkit
