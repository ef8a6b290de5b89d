// What was taken out of a sequence, and what was put in: lines of a text, elements of an array.
//
// Purpose: the changes of long values of metadata, with what is around them, as `diff -u` has them; those of a
//   tokenizer in numbers.
// Ownership: plain values; what is viewed is borrowed from the text or the file.
// Thread-safety: as that of any value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <ggufkit/model.hpp>
#include <ggufkit/value.hpp>

namespace ggufkit {

// `count` neighbours: of both, from `a` and `b` on; of A alone; of B alone.
struct Edit {
    enum class Kind : std::uint8_t { keep, remove, add };
    Kind kind;
    std::uint64_t a;
    std::uint64_t b;
    std::uint64_t count;
    friend bool operator==(const Edit&, const Edit&) = default;
};

// Changes that are near each other, in order, with up to `context` that are equal at both ends.
struct Hunk {
    std::uint64_t a = 0;  // where it begins in A, and how much of A is in it
    std::uint64_t count_a = 0;
    std::uint64_t b = 0;
    std::uint64_t count_b = 0;
    std::vector<Edit> edits{};
};

// The shortest edits where there are no more than about a thousand; else what lies between the first and the last
// difference is replaced as a whole. Time and memory are bounded by that, and linear otherwise.
std::vector<Edit> edits_between(std::span<const std::uint64_t> a, std::span<const std::uint64_t> b);

std::vector<Hunk> hunks_of(std::span<const Edit> edits, std::uint64_t context);

// Without their line ends; a text that does not end with one has a last line all the same.
std::vector<std::string_view> lines_of(std::string_view text);

// What is longer, in lines of a text or elements of an array, is not looked into: that bounds the memory it takes,
// whatever a file says. There are tokenizers of half a million merges.
inline constexpr std::uint64_t longest_to_diff = 1 << 20;

// Whether neither is longer than that, and two arrays are of one type.
bool can_diff(std::string_view a, std::string_view b);
bool can_diff(const ArrayView& a, const ArrayView& b);

// By line: indices are those of lines_of(). Nothing where !can_diff(a, b).
std::vector<Hunk> diff_lines(std::string_view a, std::string_view b, std::uint64_t context = 3);

// By element, whatever the byte orders. Nothing where !can_diff(a, b).
std::vector<Hunk> diff_elements(const ArrayView& a, const ArrayView& b, std::uint64_t context = 2);

// ---------------------------------------------------------------- tokenizers

// Strings that are in one list or in both.
struct ListChange {
    static constexpr std::size_t most = 8;
    std::uint64_t size_a = 0;
    std::uint64_t size_b = 0;
    std::uint64_t added = 0;
    std::uint64_t removed = 0;
    std::uint64_t moved = 0;
    std::vector<std::string_view> first_added{};  // no more than `most`
    std::vector<std::string_view> first_removed{};
};

struct TokenizerChange {
    ListChange tokens;            // moved: with another id
    ListChange merges;            // moved: elsewhere in the order of those that both have
    std::uint64_t scores = 0;     // of tokens that both have: how many scores differ,
    double max_score_change = 0;  // and by how much at most
    std::uint64_t types = 0;      // of tokens that both have: how many are of another type
    bool any() const;
};

// By tokenizer.ggml.tokens, scores, token_type and merges; what is missing, or of another type, counts as empty.
// Nothing where there are more than longest_to_diff tokens or merges.
std::optional<TokenizerChange> compare_tokenizers(const ModelView& a, const ModelView& b);

}  // namespace ggufkit
