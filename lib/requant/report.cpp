#include <algorithm>
#include <charconv>
#include <cmath>
#include <ggufkit/report.hpp>
#include <limits>
#include <map>

namespace ggufkit {

namespace {

std::string group_of(const PlannedTensor& tensor, Grouping grouping) {
    switch (grouping) {
        case Grouping::whole: return {};
        case Grouping::part: return place_of(tensor.name).part;
        case Grouping::layer: {
            const auto layer = place_of(tensor.name).layer;
            return layer ? std::to_string(*layer) : "";
        }
        case Grouping::type: return std::string(format_of(tensor.to).name);
    }
    return {};
}

}  // namespace

void ErrorSums::add(const ErrorSums& next) {
    if (next.max_error > max_error) {
        max_error = next.max_error;
        max_at = elements + next.max_at;
    }
    elements += next.elements;
    w2 += next.w2;
    v2 += next.v2;
    wv += next.wv;
    e2 += next.e2;
    e += next.e;
    iw2 += next.iw2;
    ie2 += next.ie2;
}

double ErrorSums::rms() const { return elements == 0 ? 0 : std::sqrt(w2 / static_cast<double>(elements)); }

double ErrorSums::relative_rmse() const { return e2 == 0 ? 0 : std::sqrt(e2 / w2); }

double ErrorSums::sqnr_db() const {
    return e2 == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(w2 / e2);
}

double ErrorSums::cosine() const {
    if (e2 == 0) return 1;
    return w2 == 0 || v2 == 0 ? 0 : std::min(1.0, wv / (std::sqrt(w2) * std::sqrt(v2)));
}

double ErrorSums::bias() const { return e == 0 ? 0 : e / static_cast<double>(elements) / rms(); }

double ErrorSums::gain() const { return w2 == 0 ? 1 : wv / w2; }

std::optional<double> ErrorSums::weighted_relative_rmse() const {
    return iw2 == 0 ? std::nullopt : std::optional(std::sqrt(ie2 / iw2));
}

TensorPlace place_of(std::string_view tensor) {
    constexpr std::string_view block = "blk.", ending = ".weight";
    if (tensor.ends_with(ending)) tensor.remove_suffix(ending.size());
    std::size_t at = tensor.find(block);
    while (at != tensor.npos && at != 0 && tensor[at - 1] != '.') at = tensor.find(block, at + 1);
    if (at == tensor.npos) return {std::nullopt, std::string(tensor)};
    std::uint64_t layer = 0;
    const char* const end = tensor.data() + tensor.size();
    const auto [after, error] = std::from_chars(tensor.data() + at + block.size(), end, layer);
    if (error != std::errc{} || after == end || *after != '.') return {std::nullopt, std::string(tensor)};
    return {layer, std::string(tensor.substr(0, at)).append(after + 1, end)};
}

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
