#define HWY_TARGET_INCLUDE "quant/measure/finite.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/measure/finite.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A difference with itself is 0, but for NaN and infinities, whose difference is NaN; and NaN stays in a sum.
bool all_finite(const float* values, std::size_t count) {
    const hn::ScalableTag<float> tag;
    const std::size_t lanes = hn::Lanes(tag);
    auto a = hn::Zero(tag), b = a, c = a, d = a;  // four sums, so that none waits for the one before
    std::size_t i = 0;
    const auto difference = [&](std::size_t at) {
        const auto value = hn::LoadU(tag, values + at);
        return value - value;
    };
    for (; i + 4 * lanes <= count; i += 4 * lanes) {
        a += difference(i);
        b += difference(i + lanes);
        c += difference(i + 2 * lanes);
        d += difference(i + 3 * lanes);
    }
    float rest = hn::GetLane(hn::SumOfLanes(tag, (a + b) + (c + d)));
    for (; i < count; ++i) rest += values[i] - values[i];
    return rest == 0;
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(all_finite);
bool all_finite(const float* values, std::size_t count) { return HWY_DYNAMIC_DISPATCH(all_finite)(values, count); }

}  // namespace ggufkit::quant
#endif
