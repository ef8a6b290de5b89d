#include "limits.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "common/suggest.hpp"
#include "common/text.hpp"
#include "core/ascii.hpp"
#include "core/number.hpp"
#include "core/text.hpp"

namespace ggufkit::tool::diff {

namespace {

constexpr Metric metrics[] = {
    {"relative_rmse", [](const ErrorSums& s) { return std::optional(s.relative_rmse()); }},
    {"weighted_relative_rmse", [](const ErrorSums& s) { return s.weighted_relative_rmse(); }, true},
    {"max", [](const ErrorSums& s) { return std::optional(s.max_error); }},
    {"bias", [](const ErrorSums& s) { return std::optional(std::abs(s.bias())); }},
    {"cosine_distance", [](const ErrorSums& s) { return std::optional(1 - s.cosine()); }},
    {"different", [](const ErrorSums& s) { return std::optional(1 - s.equal_share()); }},
};

std::vector<std::string> metric_words(std::string_view end) {
    std::vector<std::string> words;
    for (const Metric& metric : metrics) words.push_back(fmt::format("{}{}", metric.name, end));
    return words;
}

Result<Limit> read_limit(std::string_view text) {
    const auto refuse = [&](std::string_view why) {
        return fail({.code = Errc::bad_argument, .detail = fmt::format("--fail-above {}: {}", printable(text), why)});
    };
    const std::size_t sign = text.find('=');
    if (sign == text.npos) return refuse("METRIC=VALUE is wanted");
    const std::string_view name = text.substr(0, sign);
    const auto is_it = [&](const Metric& one) { return equal_in_any_case(one.name, name); };
    const auto* const metric = std::ranges::find_if(metrics, is_it);
    if (metric == std::end(metrics)) return refuse("there is no such metric" + did_you_mean(name, metric_words("")));
    const auto most = read_number<double>(text.substr(sign + 1));
    if (!most || !(*most >= 0)) return refuse("the value is not a number from 0 on");
    return Limit{metric, *most};
}

}  // namespace

std::vector<std::string> metric_beginnings() { return metric_words("="); }

std::string metric_names() {
    std::string text;
    std::size_t width = 0;
    for (const Metric& metric : metrics) {
        if (!text.empty()) text += (width += metric.name.size() + 2) > 42 ? ",\n" : ", ";
        if (text.ends_with('\n')) width = metric.name.size();
        text += metric.name;
    }
    return text;
}

Result<std::vector<Limit>> read_limits(std::span<const std::string> texts) {
    std::vector<Limit> limits;
    for (const std::string& text : texts) {
        auto limit = read_limit(text);
        if (!limit) return fail(std::move(limit).error());
        limits.push_back(*limit);
    }
    return limits;
}

std::vector<Breach> breaches(std::span<const Judged> tensors, std::span<const Limit> limits) {
    std::vector<Breach> found;
    for (const auto& [tensor, error] : tensors) {
        if (error == nullptr) {
            found.push_back({tensor, "differs in a way that no metric measures"});
        } else if (error->not_finite > 0) {
            found.push_back({tensor, "has weights that are infinite or not a number"});
        }
    }
    for (const auto& [metric, most] : limits) {
        const Judged* worst = nullptr;
        double value = most;
        for (const Judged& tensor : tensors) {
            const auto number = tensor.error == nullptr ? std::nullopt : metric->of(*tensor.error);
            if (!number || !(*number > value)) continue;
            worst = &tensor;
            value = *number;
        }
        if (worst == nullptr) continue;
        found.push_back({worst->tensor, fmt::format("{} {:.6g} is above {}", metric->name, value, most)});
    }
    return found;
}

}  // namespace ggufkit::tool::diff
