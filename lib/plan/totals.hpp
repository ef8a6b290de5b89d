// Totals of tensors that belong together.
#pragma once

#include <algorithm>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <ggufkit/quant/error_sums.hpp>

#include "plan/place.hpp"

namespace ggufkit::plan {

// Nothing where the tensor is in no group.
inline std::optional<std::string> group_of(std::string_view tensor, std::string_view type, Grouping grouping) {
    switch (grouping) {
        case Grouping::whole: return "";
        case Grouping::part: return place_of(tensor).part;
        case Grouping::layer: {
            const auto layer = place_of(tensor).layer;
            return layer ? std::optional(std::to_string(*layer)) : std::nullopt;
        }
        case Grouping::type: return std::string(type);
    }
    return {};
}

// Totals of `count` tensors. name(i) and type(i) describe tensor i; add(total, i) takes it into its group's total.
template <class Total, class Name, class Type, class Add>
std::vector<Total> totals(std::size_t count, Grouping grouping, const Name& name, const Type& type, const Add& add) {
    std::vector<Total> all;
    std::unordered_map<std::string, std::size_t> numbers;  // of each group in `all`
    if (grouping == Grouping::whole) numbers[all.emplace_back().name] = 0;
    for (std::size_t i = 0; i < count; ++i) {
        const auto group = group_of(name(i), type(i), grouping);
        if (!group) continue;
        const auto [number, first] = numbers.try_emplace(*group, all.size());
        if (first) all.emplace_back().name = *group;
        ++all[number->second].tensors;
        add(all[number->second], i);
    }
    // Tensors come in order of layer already, but for those of an encoder beside a decoder.
    if (grouping == Grouping::layer) {
        std::ranges::stable_sort(all, {}, [](const Total& total) { return std::stoull(total.name); });
    }
    return all;
}

}  // namespace ggufkit::plan
