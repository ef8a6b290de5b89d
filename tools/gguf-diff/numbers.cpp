#include "numbers.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "common/text.hpp"

namespace ggufkit::tool::diff {

std::string short_number(double number) {
    if (number == 0) return "0";
    if (std::abs(number) < 1e-4 || std::abs(number) >= 1e5) return fmt::format("{:.1e}", number);
    const int digits = 2 - static_cast<int>(std::floor(std::log10(std::abs(number))));
    return fmt::format("{:.{}f}", number, std::max(0, digits));
}

std::string percent(double share) {
    if (!std::isfinite(share)) return "∞";
    return short_number(100 * share) + " %";
}

bool is_known(const ErrorSums& sums) { return sums.elements > 0 || sums.not_finite == 0; }

std::string error_text(const ErrorSums& sums) { return is_known(sums) ? percent(sums.relative_rmse()) : "–"; }

std::string left_out_text(const ErrorSums& sums) {
    if (sums.not_finite == 0) return "";
    return fmt::format(", {} that {} not finite left out", counted(sums.not_finite, "pair"),
                       sums.not_finite == 1 ? "is" : "are");
}

std::string decibel(double number) {
    if (!std::isfinite(number)) return number < 0 ? "-∞" : "∞";
    return fmt::format("{:.1f} dB", number);
}

std::string equal_share(const ErrorSums& sums) {
    const double share = sums.equal_share();
    if (share == 1) return "all";
    if (share == 0) return "none";
    // Never "100 %" of what is not all.
    return share > 0.9995 ? ">99.9 %" : percent(share);
}

std::string place(std::uint64_t index, const TensorInfo& tensor) {
    std::string text;
    for (const std::uint64_t dim : tensor.shape()) {
        text += fmt::format("{}{}", text.empty() ? "" : ",", dim == 0 ? 0 : index % dim);
        index = dim == 0 ? 0 : index / dim;
    }
    return text.empty() ? "0" : text;
}

Style style_of(double relative_rmse) {
    if (relative_rmse < 0.02) return Style::green;
    return relative_rmse < 0.1 ? Style::yellow : Style::red;
}

std::string heat_strip(const Console& console, std::span<const double> errors, double low, double high) {
    constexpr std::array<std::string_view, 8> bars{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    std::string text;
    for (const double error : errors) {
        const double step = error > low ? 7.999 * std::log(error / low) / std::log(high / low) : 0;
        const auto bar = static_cast<std::size_t>(std::clamp(step, 0.0, 7.0));
        text += error < 0 ? " " : error == 0 ? "·" : console.paint(style_of(error), bars[bar]);
    }
    return text;
}

}  // namespace ggufkit::tool::diff
