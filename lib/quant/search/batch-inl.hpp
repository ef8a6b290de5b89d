// Sixteen sub-blocks of n values as searches want them: in lanes, in units of their own, and weighted.
#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>

#include "core/half.hpp"
#include "quant/kernels.hpp"
#include "quant/search/lanes-inl.hpp"

#if defined(GGUFKIT_QUANT_SEARCH_BATCH_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_SEARCH_BATCH_INL_HPP_
#undef GGUFKIT_QUANT_SEARCH_BATCH_INL_HPP_
#else
#define GGUFKIT_QUANT_SEARCH_BATCH_INL_HPP_
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// Values are searched in units of a power of two near their largest magnitude: no sum of products then overflows or
// vanishes, and the unit is exact to apply and to remove.
struct Unit {
    float size = 1;
    float inverse = 1;

    // What is far below any binary16 needs no unit of its own.
    static constexpr int least_for_half = -40, least = -126;

    // The unit for values up to `peak` in magnitude, 2^least_exponent or larger.
    static HWY_INLINE Unit of(float peak, int least_exponent = least_for_half) {
        const auto exponent = static_cast<int>(std::bit_cast<std::uint32_t>(peak) >> 23) - 127;
        const int k = std::clamp(exponent, least_exponent, 126);
        return {std::bit_cast<float>(static_cast<std::uint32_t>(127 + k) << 23),
                std::bit_cast<float>(static_cast<std::uint32_t>(127 - k) << 23)};
    }

    // The finite binary16 nearest to `value` units, in units.
    HWY_INLINE float nearest_half(float value) const {
        constexpr float largest = 65504;
        return half_to_float(float_to_half(std::clamp(value * size, -largest, largest))) * inverse;
    }
    // Whether `value` units, rounded to binary16, would be infinite.
    HWY_INLINE bool overflows_half(float value) const { return std::abs(value * size) >= 65520; }
};

// How much an error at each element counts; spec/quantizers.md says why. Without an importance matrix, of the sub-block:
enum class Weighting : std::uint8_t {
    linear,  // rms + |x|
    square,  // 4 rms^2 + x^2
    flat,    // 2 rms + |x|
    none,    // 1; and importance counts as it is
};

// With one: importance * sqrt(spread + x^2), the spread so many times the mean square of a super-block.
constexpr float importance_spread(Weighting weighting) { return weighting == Weighting::flat ? 2.0f : 8.0f; }

// Added to every weight, so that sums of weights can be divided by. Values are about 1 in their unit.
inline constexpr float least_weight = 0x1p-40f;

// The largest magnitude among `count` values, a multiple of 16.
inline float peak_of(const float* values, int count) {
    PerSubBlock peak;
    for (int first = 0; first < batch_size; first += lane_count) {
        Lanes even = hn::Zero(tag), odd = hn::Zero(tag);
        int i = first;
        for (; i + batch_size < count; i += 2 * batch_size) {
            even = hn::Max(even, hn::Abs(hn::LoadU(tag, values + i)));
            odd = hn::Max(odd, hn::Abs(hn::LoadU(tag, values + i + batch_size)));
        }
        if (i < count) even = hn::Max(even, hn::Abs(hn::LoadU(tag, values + i)));
        peak.store(first, hn::Max(even, odd));
    }
    return peak.largest<batch_size>(0);
}

// Sixteen sub-blocks that lie one after another in rows, and their importance. Where fewer are left, zeros follow them.
template <int n>
class BatchSource {
  public:
    static constexpr std::size_t size = std::size_t{n} * batch_size;

    // Reads from value `first` of `rows`; ne0 is a multiple of `block`.
    BatchSource(const SourceRows& rows, std::size_t first, std::size_t block) : x(rows.x + first), effort(rows.effort) {
        const std::size_t count = std::min(size, rows.count() - first);
        if (count < size) {
            std::memset(x_copy_, 0, sizeof x_copy_);
            std::memcpy(x_copy_, x, count * sizeof(float));
            x = x_copy_;
        }
        if (!rows.importance) return;
        std::memset(importance_copy_, 0, sizeof importance_copy_);
        for (std::size_t i = 0; i < count; i += block) {
            std::memcpy(importance_copy_ + i, rows.importance + (first + i) % rows.ne0, block * sizeof(float));
        }
        importance = importance_copy_;
    }

    const float* x;
    const float* importance = nullptr;
    Effort effort;

  private:
    alignas(64) float x_copy_[size];
    alignas(64) float importance_copy_[size];
};

template <int n>
struct Batch {
    // Element i of sub-block k is at [i][k].
    alignas(64) float x[n][batch_size];
    alignas(64) float w[n][batch_size];  // its weight, which is positive; those of a sub-block add up to 1
    PerSubBlock total;                   // the sum of the weights before they were made to add up to 1

    Lanes x_at(int i, int first) const { return hn::Load(tag, x[i] + first); }
    Lanes w_at(int i, int first) const { return hn::Load(tag, w[i] + first); }

    // Lays sixteen sub-blocks that lie one after another side by side, each times its factor.
    static void transpose(const float* from, const PerSubBlock& factor, float (&to)[n][batch_size]) {
#if HWY_TARGET == HWY_BASELINE_SCALAR
        for (int k = 0; k < batch_size; ++k) {
            for (int i = 0; i < n; ++i) to[i][k] = from[k * n + i] * factor[k];
        }
#else
        const hn::CappedTag<float, 8> part;  // of a sub-block
        using Part = hn::Vec<decltype(part)>;
        constexpr int width = static_cast<int>(hn::MaxLanes(part)), fours = width / 4;
        for (int k = 0; k < batch_size; k += width) {
            Part f[width];
            for (int j = 0; j < width; ++j) f[j] = hn::Set(part, factor[k + j]);
            for (int i = 0; i < n; i += width) {
                // Of four sub-blocks the elements i + e, and in the upper half i + 4 + e.
                Part elements[fours][4];
                for (int g = 0; g < fours; ++g) {
                    const float* const four = from + (k + 4 * g) * n + i;
                    const auto a = hn::LoadU(part, four) * f[4 * g], b = hn::LoadU(part, four + n) * f[4 * g + 1];
                    const auto c = hn::LoadU(part, four + 2 * n) * f[4 * g + 2];
                    const auto d = hn::LoadU(part, four + 3 * n) * f[4 * g + 3];
                    const auto ac = hn::InterleaveLower(part, a, c), bd = hn::InterleaveLower(part, b, d);
                    const auto ac_high = hn::InterleaveUpper(part, a, c), bd_high = hn::InterleaveUpper(part, b, d);
                    elements[g][0] = hn::InterleaveLower(part, ac, bd);
                    elements[g][1] = hn::InterleaveUpper(part, ac, bd);
                    elements[g][2] = hn::InterleaveLower(part, ac_high, bd_high);
                    elements[g][3] = hn::InterleaveUpper(part, ac_high, bd_high);
                }
                for (int e = 0; e < 4; ++e) {
                    if constexpr (fours == 1) {
                        hn::Store(elements[0][e], part, to[i + e] + k);
                    } else {
                        hn::Store(hn::ConcatLowerLower(part, elements[1][e], elements[0][e]), part, to[i + e] + k);
                        hn::Store(hn::ConcatUpperUpper(part, elements[1][e], elements[0][e]), part, to[i + 4 + e] + k);
                    }
                }
            }
        }
#endif
    }

    Lanes mean_square(int first) const {
        Lanes sum = hn::Zero(tag);
        for (int i = 0; i < n; ++i) sum = fused(x_at(i, first), x_at(i, first), sum);
        return sum * hn::Set(tag, 1.0f / n);
    }

    // The weights of elements that nothing else is known of. Large ones count more, small ones not much less.
    void weigh(Weighting weighting) {
        if (weighting == Weighting::none) return weigh_alike();
        const bool square = weighting == Weighting::square;
        for (int first = 0; first < batch_size; first += lane_count) {
            Lanes squares = hn::Zero(tag), magnitudes = hn::Zero(tag);
            for (int i = 0; i < n; ++i) {
                const Lanes value = x_at(i, first);
                squares = fused(value, value, squares);
                magnitudes += hn::Abs(value);
            }
            const Lanes mean = squares * hn::Set(tag, 1.0f / n);
            const Lanes rms = hn::Sqrt(mean);
            const Lanes base = (square                         ? hn::Set(tag, 4) * mean
                                : weighting == Weighting::flat ? rms + rms
                                                               : rms) +
                               hn::Set(tag, least_weight);
            const Lanes sum = hn::Set(tag, n) * base + (square ? squares : magnitudes);
            const Lanes per_sum = hn::Set(tag, 1) / sum;
            for (int i = 0; i < n; ++i) {
                const Lanes value = x_at(i, first);
                set_weight(i, first, (base + (square ? value * value : hn::Abs(value))) * per_sum);
            }
            total.store(first, sum);
        }
    }
    void weigh_alike() {
        for (int first = 0; first < batch_size; first += lane_count) {
            for (int i = 0; i < n; ++i) set_weight(i, first, hn::Set(tag, 1.0f / n));
            total.store(first, hn::Set(tag, n));
        }
    }

    // The weights where an importance matrix knows more: importance * sqrt(spread + x^2). w holds the importance.
    void weigh_importance(const PerSubBlock& spread) {
        set_weights([&](int i, int first) {
            const Lanes value = x_at(i, first);
            return w_at(i, first) * hn::Sqrt(fused(value, value, spread.load(first)));
        });
    }
    // Where it is all that counts.
    void weigh_importance() {
        set_weights([&](int i, int first) { return w_at(i, first); });
    }

  private:
    template <class Weight>
    HWY_INLINE void set_weights(Weight weight_of) {
        for (int first = 0; first < batch_size; first += lane_count) {
            Lanes sum = hn::Zero(tag);
            for (int i = 0; i < n; ++i) {
                const Lanes weight = weight_of(i, first) + hn::Set(tag, least_weight);
                set_weight(i, first, weight);
                sum += weight;
            }
            const Lanes per_sum = hn::Set(tag, 1) / sum;
            for (int i = 0; i < n; ++i) set_weight(i, first, w_at(i, first) * per_sum);
            total.store(first, sum);
        }
    }
    void set_weight(int i, int first, Lanes weight) { hn::Store(weight, tag, w[i] + first); }
};

// Writes the codes of the values nearest to x * factor * inverse + offset, of sub-blocks first .. first + count - 1, which
// lie one after another, as `x` does for all sixteen.
template <class Values, int n>
HWY_INLINE void write_codes(int first, int count, const float* x, const PerSubBlock& factor, const PerSubBlock& inverse,
                            const PerSubBlock& offset, std::uint8_t* codes) {
    const hn::RebindToUnsigned<Tag> unsigned_tag;
    const hn::Rebind<std::uint8_t, Tag> bytes;
    for (int k = first; k < first + count; ++k) {
        const Lanes f = hn::Set(tag, factor[k]);
        const Lanes v = hn::Set(tag, inverse[k]);
        const Lanes o = hn::Set(tag, offset[k]);
        for (int i = k * n; i < (k + 1) * n; i += lane_count) {
            const auto code = hn::BitCast(unsigned_tag, Values::code(fused(hn::LoadU(tag, x + i) * f, v, o)));
            hn::StoreU(hn::TruncateTo(bytes, code), bytes, codes + i - first * n);
        }
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
