// How far runs of numbers are apart, one run after the other.
#pragma once

#include <cstddef>
#include <ggufkit/quant/error_sums.hpp>
#include <span>

#include "quant/measure/comparison.hpp"

namespace ggufkit::quant {

class ErrorMeter {
  public:
    // The longest run: a multiple of every block, small enough for the stack.
    static constexpr std::size_t longest = 2048;

    // As many numbers each; `i` may be empty. The sums depend on where runs are cut, so callers cut at fixed places.
    void add(std::span<const float> w, std::span<const float> v, std::span<const float> i);

    ErrorSums sums() const;

  private:
    void add_what_is_finite(std::span<const float> w, std::span<const float> v, std::span<const float> i);
    void note_greatest(std::span<const float> w, std::span<const float> v);

    Comparison parts_;
    ErrorSums sums_;               // the counts, and the greatest error
    std::uint64_t different_ = 0;  // of those that are not finite: pairs that are not the same
};

}  // namespace ggufkit::quant
