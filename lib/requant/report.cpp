#include <algorithm>
#include <ggufkit/report.hpp>
#include <map>

#include "plan/place.hpp"

namespace ggufkit {

namespace {

std::string group_of(const PlannedTensor& tensor, Grouping grouping) {
    switch (grouping) {
        case Grouping::whole: return {};
        case Grouping::part: return plan::place_of(tensor.name).part;
        case Grouping::layer: {
            const auto layer = plan::place_of(tensor.name).layer;
            return layer ? std::to_string(*layer) : "";
        }
        case Grouping::type: return std::string(format_of(tensor.to).name);
    }
    return {};
}

}  // namespace

std::vector<QualityTotal> totals(const Plan& plan, const QualityReport& report, Grouping grouping) {
    std::vector<QualityTotal> all;
    std::map<std::string, std::size_t> numbers;  // of each name in `all`
    if (grouping == Grouping::whole) numbers[all.emplace_back().name] = 0;
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
        const PlannedTensor& tensor = plan.tensors[i];
        const TensorQuality& quality = report.tensors[i];
        std::string name = group_of(tensor, grouping);
        if (grouping == Grouping::layer && name.empty()) continue;
        const auto [number, first] = numbers.try_emplace(name, all.size());
        if (first) all.push_back({.name = std::move(name)});
        QualityTotal& total = all[number->second];
        ++total.tensors;
        total.measured += quality.measured ? 1 : 0;
        total.bytes_in += tensor.bytes_in;
        total.bytes_out += tensor.bytes_out;
        total.seconds += quality.seconds;
        total.sums.add(quality.sums);
    }
    // Tensors come in order of layer already, but for those of an encoder beside a decoder.
    if (grouping == Grouping::layer) {
        std::ranges::stable_sort(all, {}, [](const QualityTotal& total) { return std::stoull(total.name); });
    }
    return all;
}

}  // namespace ggufkit
