#include "common/size.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <string>

#include "common/text.hpp"
#include "core/ascii.hpp"
#include "core/checked.hpp"
#include "core/number.hpp"

namespace ggufkit::tool {

namespace {

constexpr std::uint64_t least_without_unit = 1 << 20;

// A number with up to six decimals, which rounding cannot touch.
struct Decimal {
    std::uint64_t whole, millionths;

    // Cut off to a whole number; nothing where it is too large.
    std::optional<std::uint64_t> times(std::uint64_t unit) const {
        const auto most = checked_mul(whole, unit), part = checked_mul(millionths, unit);
        return most && part ? checked_add(*most, *part / 1'000'000) : std::nullopt;
    }
};

std::optional<Decimal> read_decimal(std::string_view text) {
    const std::size_t dot = std::min(text.find('.'), text.size());
    const auto whole = read_number<std::uint64_t>(text.substr(0, dot));
    if (!whole || dot == text.size()) return whole ? std::optional(Decimal{*whole, 0}) : std::nullopt;
    std::string decimals(text.substr(dot + 1));
    if (decimals.empty() || decimals.size() > 6) return std::nullopt;
    decimals.resize(6, '0');
    const auto millionths = read_number<std::uint64_t>(decimals);
    return millionths ? std::optional(Decimal{*whole, *millionths}) : std::nullopt;
}

}  // namespace

std::string plain_count(std::string text) {
    if (text.size() < 2) return text;
    const std::uint64_t unit = text.back() == 'k' || text.back() == 'K'   ? 1024
                               : text.back() == 'm' || text.back() == 'M' ? 1024 * 1024
                                                                          : 0;
    const auto count = read_number<std::uint64_t>(std::string_view(text).substr(0, text.size() - 1));
    const auto all = unit != 0 && count ? checked_mul(*count, unit) : std::nullopt;
    return all ? std::to_string(*all) : text;
}

std::string check_count(const std::string& text) {
    return read_number<std::uint64_t>(text) ? "" : fmt::format("'{}' is not a number", text);
}

Result<std::uint64_t> read_size(std::string_view text) {
    const auto refuse = [&] {
        return fail(
            {.code = Errc::bad_argument, .detail = fmt::format("'{}' is no size such as 4G, 500M or 2.5GiB", text)});
    };
    const std::size_t digits = std::min(text.find_first_not_of("0123456789."), text.size());
    const auto count = read_decimal(text.substr(0, digits));
    if (!count) return refuse();
    const std::string_view suffix = text.substr(digits);
    // Nobody means 24 bytes by 24.
    if (suffix.empty() && count->whole < least_without_unit && (count->whole != 0 || count->millionths != 0)) {
        return fail({.code = Errc::bad_argument,
                     .detail = fmt::format("'{0}' has no unit: write {0}GiB or {0}MiB ({0}B for bytes)", text)});
    }
    std::uint64_t decimal = 1, binary = 1;
    for (const std::string_view unit : {"", "K", "M", "G", "T"}) {
        const bool is_decimal = equal_in_any_case(suffix, unit) || equal_in_any_case(suffix, fmt::format("{}B", unit));
        if (is_decimal || (!unit.empty() && equal_in_any_case(suffix, fmt::format("{}iB", unit)))) {
            const auto bytes = count->times(is_decimal ? decimal : binary);
            return bytes && *bytes > 0 ? Result<std::uint64_t>(*bytes) : refuse();
        }
        decimal *= 1000, binary *= 1024;
    }
    return refuse();
}

}  // namespace ggufkit::tool
