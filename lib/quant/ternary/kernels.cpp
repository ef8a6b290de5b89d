// TQ1_0, TQ2_0, Q1_0 and Q2_0: blocks of one scale, searched as Q4_0 is, with fewer values.
#define HWY_TARGET_INCLUDE "quant/ternary/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "format/blocks/ternary.hpp"
#include "quant/kernels-inl.hpp"
#include "quant/planes.hpp"
#include "quant/search/symmetric-inl.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// `trits` trits of each of `n` bytes: trit t of byte m goes to codes[n * t + m].
static void unpack_trits(const std::uint8_t* bytes, int n, int trits, std::uint8_t* codes) {
    unsigned power = 1;
    for (int t = 0; t < trits; ++t, power *= 3) {
        for (int m = 0; m < n; ++m) {
            const unsigned fraction = bytes[m] * power & 255u;
            codes[n * t + m] = static_cast<std::uint8_t>(fraction * 3 >> 8);
        }
    }
}

HWY_INLINE void unpack(const BlockTQ1_0& b, CodesOut out) {
    unpack_trits(b.qs, 32, 5, out.bytes());
    unpack_trits(b.qs + 32, 16, 5, out.bytes() + 160);
    unpack_trits(b.qh, 4, 4, out.bytes() + 240);
    std::fill_n(out.scales, 8, number_of(b.d));
}

HWY_INLINE void unpack(const BlockTQ2_0& b, CodesOut out) {
    unpack_planes<2, 32>(b.qs, out.bytes());
    std::fill_n(out.scales, 8, number_of(b.d));
}

HWY_INLINE void unpack(const BlockQ1_0& b, CodesOut out) {
    for (int j = 0; j < 128; ++j) out.codes[j] = static_cast<std::int8_t>(2 * (b.qs[j / 8] >> (j % 8) & 1) - 1);
    std::fill_n(out.scales, 4, number_of(b.d));
}

HWY_INLINE void unpack(const BlockQ2_0& b, CodesOut out) {
    const hn::RebindToUnsigned<Words> bits;
    for (int j = 0; j < 64; j += number_count) {
        Little<std::uint32_t> sixteen;  // codes
        std::memcpy(sixteen.bytes, b.qs + j / 16 * 4, 4);
        const auto shift = hn::Iota(bits, static_cast<std::uint32_t>(j % 16));
        const auto code = hn::And(hn::Shr(hn::Set(bits, sixteen.get()), shift + shift), hn::Set(bits, 3));
        const hn::Rebind<std::int8_t, Words> bytes;
        hn::StoreU(hn::DemoteTo(bytes, hn::BitCast(words, code)), bytes, out.codes + j);
    }
    std::fill_n(out.scales, 2, number_of(b.d));
}

// ---------------------------------------------------------------- encoders

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

inline void pack(BlockCodes c, BlockTQ1_0& b) {
    pack_trits<5, 32>(c.code, b.qs);
    pack_trits<5, 16>(c.code + 160, b.qs + 32);
    pack_trits<4, 4>(c.code + 240, b.qh);
}
inline void pack(BlockCodes c, BlockTQ2_0& b) { pack_planes<2, 32>(c.code, 0, b.qs); }
inline void pack(BlockCodes c, BlockQ1_0& b) { pack_planes<1, 1>(c.code, 0, b.qs); }
inline void pack(BlockCodes c, BlockQ2_0& b) { pack_planes<2, 1>(c.code, 0, b.qs); }

std::span<const Kernels> ternary_kernels() {
    static constexpr Kernels table[] = {
        kernels<BlockTQ1_0, OneScale<Trits>>(),
        kernels<BlockTQ2_0, OneScale<Trits>>(),
        kernels<BlockQ1_0, OneScale<Bits>>(),
        kernels<BlockQ2_0, OneScale<TwoBits>>(),
    };
    return table;
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(ternary_kernels);
std::span<const Kernels> ternary_kernels() { return HWY_DYNAMIC_DISPATCH(ternary_kernels)(); }

}  // namespace ggufkit::quant
#endif
