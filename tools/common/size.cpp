#include "common/size.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "common/text.hpp"
#include "core/checked.hpp"

namespace ggufkit::cli {

Result<std::uint64_t> read_size(std::string_view text) {
    const auto refuse = [&] {
        return fail(
            {.code = Errc::bad_argument, .detail = fmt::format("'{}' is no size such as 4G, 500M or 2GiB", text)});
    };
    const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
    std::uint64_t count = 0;
    if (std::from_chars(text.data(), text.data() + digits, count).ec != std::errc{} || count == 0) return refuse();
    const std::string_view suffix = text.substr(digits);
    std::uint64_t decimal = 1, binary = 1;
    for (const std::string_view unit : {"", "K", "M", "G", "T"}) {
        const bool is_decimal = equal_in_any_case(suffix, unit) || equal_in_any_case(suffix, fmt::format("{}B", unit));
        if (is_decimal || (!unit.empty() && equal_in_any_case(suffix, fmt::format("{}iB", unit)))) {
            const auto bytes = checked_mul(count, is_decimal ? decimal : binary);
            return bytes ? Result<std::uint64_t>(*bytes) : refuse();
        }
        decimal *= 1000, binary *= 1024;
    }
    return refuse();
}

}  // namespace ggufkit::cli
