// general.alignment: the one key that changes what the rest of the file means.
#pragma once

#include <bit>
#include <cstdint>
#include <string_view>

#include <ggufkit/model.hpp>

namespace ggufkit::container {

inline constexpr std::string_view alignment_key = "general.alignment";
inline constexpr std::uint64_t largest_alignment = std::uint64_t{1} << 30;

constexpr bool is_alignment(std::uint64_t value) { return std::has_single_bit(value) && value <= largest_alignment; }

inline bool has_usable_alignment(const ValueView& value) {
    return value.type() == ValueType::uint32 && is_alignment(value.as_unsigned().value_or(0));
}

// The alignment that this value of the key gives: the default where it breaks a rule.
inline std::uint32_t usable_alignment(const ValueView& value) {
    return has_usable_alignment(value) ? static_cast<std::uint32_t>(*value.as_unsigned()) : default_alignment;
}

}  // namespace ggufkit::container
