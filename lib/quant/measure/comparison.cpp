#define HWY_TARGET_INCLUDE "quant/measure/comparison.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cmath>

#include "quant/measure/comparison.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

constexpr std::size_t parts = Comparison::parts;
const hn::CappedTag<double, parts> tag;
const hn::Rebind<float, decltype(tag)> narrow;

// A vector holds neighbouring parts; where it has fewer than all of them, the numbers are passed several times.
void add_errors(const float* w_begin, const float* v_begin, std::size_t count, std::size_t part, Comparison& sums) {
    auto w2 = hn::LoadU(tag, &sums.w2[part]), v2 = hn::LoadU(tag, &sums.v2[part]), wv = hn::LoadU(tag, &sums.wv[part]);
    auto e2 = hn::LoadU(tag, &sums.e2[part]), e1 = hn::LoadU(tag, &sums.e[part]);
    auto max = hn::LoadU(tag, &sums.max_error[part]), equal = hn::LoadU(tag, &sums.equal[part]);
    const auto zero = hn::Zero(tag), one = hn::Set(tag, 1.0);
    for (std::size_t at = part; at < count; at += parts) {
        const auto w = hn::PromoteTo(tag, hn::LoadU(narrow, w_begin + at));
        const auto v = hn::PromoteTo(tag, hn::LoadU(narrow, v_begin + at));
        const auto e = v - w;
        w2 += w * w;
        v2 += v * v;
        wv += w * v;
        e2 += e * e;
        e1 += e;
        max = hn::Max(max, hn::Abs(e));
        equal += hn::IfThenElseZero(e == zero, one);
    }
    hn::StoreU(w2, tag, &sums.w2[part]);
    hn::StoreU(v2, tag, &sums.v2[part]);
    hn::StoreU(wv, tag, &sums.wv[part]);
    hn::StoreU(e2, tag, &sums.e2[part]);
    hn::StoreU(e1, tag, &sums.e[part]);
    hn::StoreU(max, tag, &sums.max_error[part]);
    hn::StoreU(equal, tag, &sums.equal[part]);
}

void add_weighed(const float* w_begin, const float* v_begin, const float* i_begin, std::size_t count, std::size_t part,
                 Comparison& sums) {
    auto iw2 = hn::LoadU(tag, &sums.iw2[part]), ie2 = hn::LoadU(tag, &sums.ie2[part]);
    for (std::size_t at = part; at < count; at += parts) {
        const auto w = hn::PromoteTo(tag, hn::LoadU(narrow, w_begin + at));
        const auto e = hn::PromoteTo(tag, hn::LoadU(narrow, v_begin + at)) - w;
        const auto i = hn::PromoteTo(tag, hn::LoadU(narrow, i_begin + at));
        iw2 += i * (w * w);
        ie2 += i * (e * e);
    }
    hn::StoreU(iw2, tag, &sums.iw2[part]);
    hn::StoreU(ie2, tag, &sums.ie2[part]);
}

void compare(const float* w, const float* v, const float* i, std::size_t count, Comparison& sums) {
    const std::size_t whole = count / parts * parts;
    for (std::size_t part = 0; part < parts; part += hn::Lanes(tag)) {
        add_errors(w, v, whole, part, sums);
        if (i != nullptr) add_weighed(w, v, i, whole, part, sums);
    }
    for (std::size_t at = whole; at < count; ++at) {
        const std::size_t part = at % parts;
        const double wide_w = w[at], wide_v = v[at], e = wide_v - wide_w;
        sums.w2[part] += wide_w * wide_w;
        sums.v2[part] += wide_v * wide_v;
        sums.wv[part] += wide_w * wide_v;
        sums.e2[part] += e * e;
        sums.e[part] += e;
        sums.max_error[part] = std::max(sums.max_error[part], std::abs(e));
        sums.equal[part] += e == 0 ? 1 : 0;
        if (i == nullptr) continue;
        sums.iw2[part] += i[at] * (wide_w * wide_w);
        sums.ie2[part] += i[at] * (e * e);
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(compare);
void compare(const float* w, const float* v, const float* i, std::size_t count, Comparison& sums) {
    HWY_DYNAMIC_DISPATCH(compare)(w, v, i, count, sums);
}

}  // namespace ggufkit::quant
#endif
