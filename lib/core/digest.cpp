#include <fmt/format.h>

#include <charconv>
#include <ggufkit/digest.hpp>

namespace ggufkit {

std::string Digest::hex() const { return fmt::format("{:016x}{:016x}", high, low); }

std::optional<Digest> Digest::of_hex(std::string_view digits) {
    constexpr std::size_t half = 16;
    const auto number = [](std::string_view text) -> std::optional<std::uint64_t> {
        std::uint64_t value = 0;
        const char* const end = text.data() + text.size();
        const auto [after, error] = std::from_chars(text.data(), end, value, 16);
        return error == std::errc{} && after == end ? std::optional(value) : std::nullopt;
    };
    if (digits.size() != 2 * half) return std::nullopt;
    const auto high = number(digits.substr(0, half)), low = number(digits.substr(half));
    return high && low ? std::optional(Digest{*high, *low}) : std::nullopt;
}

}  // namespace ggufkit
