#include <algorithm>
#include <cmath>
#include <ggufkit/quant/error_sums.hpp>
#include <limits>

namespace ggufkit {

void ErrorSums::add(const ErrorSums& next) {
    if (next.max_error > max_error) {
        max_error = next.max_error;
        max_at = elements + not_finite + next.max_at;
    }
    elements += next.elements;
    not_finite += next.not_finite;
    equal += next.equal;
    w2 += next.w2;
    v2 += next.v2;
    wv += next.wv;
    e2 += next.e2;
    e += next.e;
    iw2 += next.iw2;
    ie2 += next.ie2;
}

double ErrorSums::rms() const { return elements == 0 ? 0 : std::sqrt(w2 / static_cast<double>(elements)); }

double ErrorSums::relative_rmse() const { return e2 == 0 ? 0 : std::sqrt(e2 / w2); }

double ErrorSums::sqnr_db() const {
    return e2 == 0 ? std::numeric_limits<double>::infinity() : 10 * std::log10(w2 / e2);
}

double ErrorSums::cosine() const {
    if (e2 == 0) return 1;
    return w2 == 0 || v2 == 0 ? 0 : std::min(1.0, wv / (std::sqrt(w2) * std::sqrt(v2)));
}

double ErrorSums::bias() const { return e == 0 ? 0 : e / static_cast<double>(elements) / rms(); }

double ErrorSums::gain() const { return w2 == 0 ? 1 : wv / w2; }

double ErrorSums::equal_share() const {
    const std::uint64_t pairs = elements + not_finite;
    return pairs == 0 ? 1 : static_cast<double>(equal) / static_cast<double>(pairs);
}

std::optional<double> ErrorSums::weighted_relative_rmse() const {
    return iw2 == 0 ? std::nullopt : std::optional(std::sqrt(ie2 / iw2));
}

}  // namespace ggufkit
