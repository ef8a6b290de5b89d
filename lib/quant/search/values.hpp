// What codes stand for: the values that a scale multiplies. For each set of them, which value is nearest to a number, and
// which code stands for it, in the lowest byte of each lane.
//
// Compiled once for each target, as lanes.hpp.
#include "quant/search/lanes.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_VALUES_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_VALUES_HPP
#undef GGUFKIT_QUANT_SEARCH_VALUES_HPP
#else
#define GGUFKIT_QUANT_SEARCH_VALUES_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// `mirrored` says that the negative of each value is one, too.

// Code 0 is the lowest.
template <int low, int high>
struct IntegerValues {
    static constexpr int lowest = low;
    static constexpr bool mirrored = low == -high;
    static Lanes nearest(Lanes x) { return round(clamp(x, low, high)); }
    static IntegerLanes code(Lanes x) { return low_bits(clamp(x, low, high)) - hn::Set(integer_tag, low); }
};

// -1 and 1, code 0 and 1.
struct SignValues {
    static constexpr int lowest = -1;
    static constexpr bool mirrored = true;
    static Lanes nearest(Lanes x) { return select(x < zero(), splat(-1), splat(1)); }
    static IntegerLanes code(Lanes x) {
        return hn::IfThenZeroElse(hn::RebindMask(integer_tag, x < zero()), hn::Set(integer_tag, 1));
    }
};

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
