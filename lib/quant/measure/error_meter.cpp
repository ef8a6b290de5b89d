#include "quant/measure/error_meter.hpp"

#include <algorithm>
#include <array>
#include <cassert>
#include <cmath>

namespace ggufkit::quant {

namespace {

double total(const Comparison::Parts& parts) {
    double sum = 0;
    for (const double part : parts) sum += part;
    return sum;
}

const float* data_or_null(std::span<const float> values) { return values.empty() ? nullptr : values.data(); }

}  // namespace

void ErrorMeter::add(std::span<const float> w, std::span<const float> v, std::span<const float> i) {
    assert(w.size() <= longest && v.size() == w.size());
    const Comparison before = parts_;
    compare(w.data(), v.data(), data_or_null(i), w.size(), parts_);
    if (std::isfinite(total(parts_.e2))) {
        note_greatest(w, v);
        sums_.elements += w.size();
    } else {
        parts_ = before;
        add_what_is_finite(w, v, i);
    }
}

// Finding it out afterwards costs the usual case nothing. A pair of zeros changes no sum but the number of equal ones.
void ErrorMeter::add_what_is_finite(std::span<const float> w, std::span<const float> v, std::span<const float> i) {
    std::array<float, longest> finite_w, finite_v;
    std::size_t left_out = 0, different = 0;
    for (std::size_t at = 0; at < w.size(); ++at) {
        const bool finite = std::isfinite(w[at]) && std::isfinite(v[at]);
        finite_w[at] = finite ? w[at] : 0;
        finite_v[at] = finite ? v[at] : 0;
        const bool same = w[at] == v[at] || (std::isnan(w[at]) && std::isnan(v[at]));
        left_out += finite ? 0 : 1;
        different += finite || same ? 0 : 1;
    }
    const auto some_w = std::span<const float>(finite_w).first(w.size());
    const auto some_v = std::span<const float>(finite_v).first(w.size());
    compare(some_w.data(), some_v.data(), data_or_null(i), w.size(), parts_);
    note_greatest(some_w, some_v);
    sums_.elements += w.size() - left_out;
    sums_.not_finite += left_out;
    different_ += different;
}

// Before the run is counted.
void ErrorMeter::note_greatest(std::span<const float> w, std::span<const float> v) {
    const double greatest = std::ranges::max(parts_.max_error);
    if (greatest <= sums_.max_error) return;
    std::size_t at = 0;
    while (std::abs(static_cast<double>(v[at]) - w[at]) != greatest) ++at;
    sums_.max_error = greatest;
    sums_.max_at = sums_.elements + sums_.not_finite + at;
}

ErrorSums ErrorMeter::sums() const {
    ErrorSums sums = sums_;
    sums.equal = static_cast<std::uint64_t>(total(parts_.equal)) - different_;
    sums.w2 = total(parts_.w2);
    sums.v2 = total(parts_.v2);
    sums.wv = total(parts_.wv);
    sums.e2 = total(parts_.e2);
    sums.e = total(parts_.e);
    sums.iw2 = total(parts_.iw2);
    sums.ie2 = total(parts_.ie2);
    return sums;
}

}  // namespace ggufkit::quant
