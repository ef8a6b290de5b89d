#include <algorithm>
#include <ggufkit/diff.hpp>
#include <optional>
#include <unordered_map>

#include "plan/place.hpp"

namespace ggufkit {

namespace {

// Nothing where the tensor is in no group.
std::optional<std::string> group_of(const TensorPair& pair, ValueGrouping grouping) {
    const plan::TensorPlace place = plan::place_of(pair.a->info->name);
    switch (grouping) {
        case ValueGrouping::whole: return "";
        case ValueGrouping::part: return place.part;
        case ValueGrouping::layer: return place.layer ? std::optional(std::to_string(*place.layer)) : std::nullopt;
    }
    return {};
}

}  // namespace

std::vector<ValueTotal> totals(std::span<const TensorPair> pairs, std::span<const ValueDifference> differences,
                               ValueGrouping grouping) {
    std::vector<ValueTotal> all;
    std::unordered_map<std::string, std::size_t> numbers;  // of each name in `all`
    if (grouping == ValueGrouping::whole) numbers[all.emplace_back().name] = 0;
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const auto name = group_of(pairs[i], grouping);
        if (!name) continue;
        const auto [number, first] = numbers.try_emplace(*name, all.size());
        if (first) all.push_back({.name = *name});
        ++all[number->second].tensors;
        all[number->second].sums.add(differences[i].sums);
    }
    if (grouping == ValueGrouping::layer) {
        std::ranges::stable_sort(all, {}, [](const ValueTotal& total) { return std::stoull(total.name); });
    }
    return all;
}

}  // namespace ggufkit
