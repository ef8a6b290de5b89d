#include <algorithm>
#include <cmath>
#include <unordered_map>

#include "diff/sequences.hpp"

namespace ggufkit {

namespace {

using Strings = std::vector<std::string_view>;

constexpr std::string_view tokens_key = "tokenizer.ggml.tokens";
constexpr std::string_view merges_key = "tokenizer.ggml.merges";

// Where the model has such a list.
std::optional<ArrayView> list_of(const ModelView& model, std::string_view key) {
    const auto array = model.get_array(key);
    if (!array || array->element_type() != ValueType::string) return {};
    return *array;
}

Strings strings_of(const ModelView& model, std::string_view key) {
    const auto array = list_of(model, key);
    Strings strings;
    if (!array) return strings;
    strings.reserve(array->size());
    for (const ValueView element : *array) strings.push_back(*element.as_string());
    return strings;
}

// The places of strings; of equal ones, the first.
std::unordered_map<std::string_view, std::size_t> places_of(const Strings& strings) {
    std::unordered_map<std::string_view, std::size_t> places;
    places.reserve(strings.size());
    for (std::size_t i = 0; i < strings.size(); ++i) places.try_emplace(strings[i], i);
    return places;
}

// Those of `list` that the other does not have, and the places of those that it has.
struct Part {
    std::uint64_t alone = 0;
    Strings first{};
    std::vector<std::pair<std::size_t, std::size_t>> common{};  // the place here, and there
};

Part part_of(const Strings& list, const Strings& other) {
    const auto places = places_of(other);
    Part part;
    for (std::size_t i = 0; i < list.size(); ++i) {
        const auto place = places.find(list[i]);
        if (place != places.end()) {
            part.common.emplace_back(i, place->second);
        } else if (++part.alone <= ListChange::most) {
            part.first.push_back(list[i]);
        }
    }
    return part;
}

// Those whose place among the common ones is another.
std::uint64_t moved_among(const Part& part) {
    std::vector<std::size_t> there;
    there.reserve(part.common.size());
    for (const auto& [a, b] : part.common) there.push_back(b);
    std::ranges::sort(there);
    std::uint64_t moved = 0;
    for (std::size_t i = 0; i < there.size(); ++i) moved += part.common[i].second != there[i] ? 1 : 0;
    return moved;
}

ListChange change_of(const Strings& a, const Strings& b, const Part& from_a) {
    Part from_b = part_of(b, a);
    return {.size_a = a.size(),
            .size_b = b.size(),
            .added = from_b.alone,
            .removed = from_a.alone,
            .first_added = std::move(from_b.first),
            .first_removed = from_a.first};
}

// Visits the elements that belong to each token that both have, where both have such a list.
template <class Visit>
void for_common(const ModelView& a, const ModelView& b, std::string_view key, const Part& tokens, Visit visit) {
    const auto in_a = a.get_array(key), in_b = b.get_array(key);
    if (!in_a || !in_b || fixed_size(in_a->element_type()) == 0 || fixed_size(in_b->element_type()) == 0) return;
    for (const auto& [at_a, at_b] : tokens.common) {
        const auto x = in_a->at(at_a), y = in_b->at(at_b);
        if (x && y) visit(*x, *y);
    }
}

}  // namespace

bool TokenizerChange::any() const {
    const auto changed = [](const ListChange& list) { return list.added + list.removed + list.moved > 0; };
    return changed(tokens) || changed(merges) || scores > 0 || types > 0;
}

std::optional<TokenizerChange> compare_tokenizers(const ModelView& a, const ModelView& b) {
    for (const std::string_view key : {tokens_key, merges_key}) {
        for (const ModelView* model : {&a, &b}) {
            const auto list = list_of(*model, key);
            if (list && list->size() > longest_to_diff) return {};
        }
    }
    const Strings tokens_a = strings_of(a, tokens_key), tokens_b = strings_of(b, tokens_key);
    const Strings merges_a = strings_of(a, merges_key), merges_b = strings_of(b, merges_key);
    const Part tokens = part_of(tokens_a, tokens_b), merges = part_of(merges_a, merges_b);
    TokenizerChange change{.tokens = change_of(tokens_a, tokens_b, tokens),
                           .merges = change_of(merges_a, merges_b, merges)};
    for (const auto& [at_a, at_b] : tokens.common) change.tokens.moved += at_a != at_b ? 1 : 0;
    change.merges.moved = moved_among(merges);
    for_common(a, b, "tokenizer.ggml.scores", tokens, [&](const ValueView& x, const ValueView& y) {
        const auto from = x.as_float(), to = y.as_float();
        if (x == y || !from || !to) return;
        ++change.scores;
        change.max_score_change = std::max(change.max_score_change, std::abs(*to - *from));
    });
    for_common(a, b, "tokenizer.ggml.token_type", tokens,
               [&](const ValueView& x, const ValueView& y) { change.types += x == y ? 0 : 1; });
    return change;
}

}  // namespace ggufkit
