// Sums of products of numbers that a file supplied.
#pragma once

#include <cstdint>
#include <ggufkit/error.hpp>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string_view>

#include "core/checked.hpp"

namespace ggufkit::memory {

// For comparisons, where what is too large to count is simply large.
inline std::uint64_t saturating_mul(std::uint64_t a, std::uint64_t b) {
    return checked_mul(a, b).value_or(std::numeric_limits<std::uint64_t>::max());
}
inline std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) {
    return checked_add(a, b).value_or(std::numeric_limits<std::uint64_t>::max());
}

class Sum {
  public:
    Sum& add(std::initializer_list<std::uint64_t> factors) {
        std::optional<std::uint64_t> product = 1;
        for (const std::uint64_t factor : factors) product = product ? checked_mul(*product, factor) : product;
        sum_ = sum_ && product ? checked_add(*sum_, *product) : std::nullopt;
        return *this;
    }
    Result<std::uint64_t> result(std::string_view subject) const {
        if (sum_) return *sum_;
        return fail({.code = Errc::size_overflow, .subject = std::string(subject), .detail = "is too large to count"});
    }

  private:
    std::optional<std::uint64_t> sum_ = 0;
};

}  // namespace ggufkit::memory
