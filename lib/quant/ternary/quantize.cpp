// Encoders of TQ1_0, TQ2_0, Q1_0 and Q2_0: blocks of one scale, searched as those of Q4_0 are, with fewer values.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/ternary/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "format/blocks/ternary.hpp"
#include "quant/planes.hpp"
#include "quant/search/one_scale.hpp"
#include "quant/ternary/ternary.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

template <int elements, class TheValues, int number_of_starts>
struct FewValues {
    using Values = TheValues;
    static constexpr int block = elements, starts = number_of_starts;
    static constexpr Weighting weighting = Weighting::none;
};
using Trits = FewValues<256, IntegerValues<-1, 1>, 6>;
using Bits = FewValues<128, SignValues, 2>;
using TwoBits = FewValues<64, IntegerValues<-1, 2>, 6>;

// `trits` trits in each byte: digits of a number in base 3, which becomes a fraction of 256, rounded up.
template <int trits, std::size_t n>
void pack_trits(const std::uint8_t* codes, std::uint8_t* bytes) {
    for (std::size_t m = 0; m < n; ++m) {
        unsigned number = 0;
        for (std::size_t t = 0; t < 5; ++t) number = number * 3 + (t < trits ? codes[n * t + m] : 0u);
        bytes[m] = static_cast<std::uint8_t>((number * 256 + 242) / 243);
    }
}

inline void pack(const std::uint8_t* codes, BlockTQ1_0& b) {
    pack_trits<5, 32>(codes, b.qs);
    pack_trits<5, 16>(codes + 160, b.qs + 32);
    pack_trits<4, 4>(codes + 240, b.qh);
}
inline void pack(const std::uint8_t* codes, BlockTQ2_0& b) { pack_planes<2, 32>(codes, 0, b.qs); }
inline void pack(const std::uint8_t* codes, BlockQ1_0& b) { pack_planes<1, 1>(codes, 0, b.qs); }
inline void pack(const std::uint8_t* codes, BlockQ2_0& b) { pack_planes<2, 1>(codes, 0, b.qs); }

void quantize_tq1_0(const SourceRows& rows, std::byte* out) {
    quantize_blocks<OneScale<Trits>, BlockTQ1_0, pack>(rows, out);
}
void quantize_tq2_0(const SourceRows& rows, std::byte* out) {
    quantize_blocks<OneScale<Trits>, BlockTQ2_0, pack>(rows, out);
}
void quantize_q1_0(const SourceRows& rows, std::byte* out) {
    quantize_blocks<OneScale<Bits>, BlockQ1_0, pack>(rows, out);
}
void quantize_q2_0(const SourceRows& rows, std::byte* out) {
    quantize_blocks<OneScale<TwoBits>, BlockQ2_0, pack>(rows, out);
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(quantize_tq1_0);
HWY_EXPORT(quantize_tq2_0);
HWY_EXPORT(quantize_q1_0);
HWY_EXPORT(quantize_q2_0);

void quantize_tq1_0(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_tq1_0)(rows, out); }
void quantize_tq2_0(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_tq2_0)(rows, out); }
void quantize_q1_0(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q1_0)(rows, out); }
void quantize_q2_0(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q2_0)(rows, out); }

}  // namespace ggufkit::quant
#endif
