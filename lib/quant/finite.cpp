#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/finite.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/finite.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// A difference with itself is 0, but for NaN and infinities, whose difference is NaN; and NaN stays in a sum.
bool all_finite(const float* values, std::size_t count) {
    const hn::ScalableTag<float> tag;
    const std::size_t lanes = hn::Lanes(tag);
    auto sum = hn::Zero(tag);
    std::size_t i = 0;
    for (; i + lanes <= count; i += lanes) {
        const auto value = hn::LoadU(tag, values + i);
        sum += value - value;
    }
    float rest = hn::GetLane(hn::SumOfLanes(tag, sum));
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
