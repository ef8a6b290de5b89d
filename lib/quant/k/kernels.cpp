// The k-quants: how their blocks come apart, what sets their encoders apart, and how codes are packed.
#define HWY_TARGET_INCLUDE "quant/k/kernels.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>
#include <cstring>

#include "format/blocks/k.hpp"
#include "quant/k/affine-inl.hpp"
#include "quant/k/symmetric-inl.hpp"
#include "quant/kernels-inl.hpp"
#include "quant/planes.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

HWY_INLINE void unpack(const BlockQ2_K& b, CodesOut out) {
    unpack_planes<2, 32>(b.qs, out.bytes());
    const auto d = hn::Set(numbers, number_of(b.d)), dmin = hn::Set(numbers, number_of(b.dmin));
    for_nibbles<32>(b.scales, [&](WordLanes code, int k) {
        if (k < 16) {
            hn::StoreU(d * numbers_of(code), numbers, out.scales + k);
        } else {
            hn::StoreU(dmin * numbers_of(code), numbers, out.mins + k - 16);
        }
    });
}

HWY_INLINE void unpack(const BlockQ3_K& b, CodesOut out) {
    unpack_planes<2, 32>(b.qs, out.bytes());
    unpack_planes<1, 32, 2>(b.hmask, out.bytes());
    std::uint8_t scale_bytes[16];
    b.scales.get(scale_bytes);
    scale_codes<16, 32>(scale_bytes, number_of(b.d), out.scales);
}

// Of Q4_K and Q5_K.
template <class Block>
HWY_INLINE void unpack_scales(const Block& b, CodesOut out) {
    std::uint8_t scale_bytes[8], min_bytes[8];
    b.scales.get(scale_bytes, min_bytes);
    scale_codes<8>(scale_bytes, number_of(b.d), out.scales);
    scale_codes<8>(min_bytes, number_of(b.dmin), out.mins);
}

HWY_INLINE void unpack(const BlockQ4_K& b, CodesOut out) {
    unpack_planes<4, 32>(b.qs, out.bytes());
    unpack_scales(b, out);
}

HWY_INLINE void unpack(const BlockQ5_K& b, CodesOut out) {
    unpack_planes<4, 32>(b.qs, out.bytes());
    unpack_planes<1, 32, 4>(b.qh, out.bytes());
    unpack_scales(b, out);
}

HWY_INLINE void unpack(const BlockQ6_K& b, CodesOut out) {
    unpack_planes<4, 64>(b.ql, out.bytes());
    unpack_planes<2, 32, 4>(b.qh, out.bytes());
    scale_codes<16>(b.scales, number_of(b.d), out.scales);
}

HWY_INLINE void unpack(const BlockQ8_K& b, CodesOut out) {
    std::memcpy(out.codes, b.qs, sizeof b.qs);
    std::fill_n(out.scales, 8, b.d.get());
}

// ---------------------------------------------------------------- encoders

struct Q2_K {
    static constexpr int sub_block = 16, max_code = 3, max_scale = 15, starts = 4;
};
struct Q3_K {
    using Values = IntegerValues<-4, 3>;
    static constexpr int sub_block = 16, half_scales = 32, starts = 4;
    static constexpr Weighting weighting = Weighting::square;
};
struct Q4_K {
    static constexpr int sub_block = 32, max_code = 15, max_scale = 63, starts = 12;
};
struct Q5_K {
    static constexpr int sub_block = 32, max_code = 31, max_scale = 63, starts = 8;
};
struct Q6_K {
    using Values = IntegerValues<-32, 31>;
    static constexpr int sub_block = 16, half_scales = 128, starts = 12;
    static constexpr Weighting weighting = Weighting::linear;
};

inline void pack(const AffineCodes& c, BlockQ2_K& b) {
    for (int k = 0; k < 16; ++k) b.scales[k] = static_cast<std::uint8_t>(c.scale[k] | c.min[k] << 4);
    pack_planes<2, 32>(c.code, 0, b.qs);
    b.d.set(c.d);
    b.dmin.set(c.dmin);
}

inline void pack(const SymmetricCodes& c, BlockQ3_K& b) {
    pack_planes<1, 32>(c.code, 2, b.hmask);
    pack_planes<2, 32>(c.code, 0, b.qs);
    b.scales.set(c.scale);
    b.d.set(c.d);
}

// Q4_K and what Q5_K has of it.
template <class Block>
void pack_common(const AffineCodes& c, Block& b) {
    std::uint8_t scale[8], min[8];
    std::copy_n(c.scale, 8, scale);
    std::copy_n(c.min, 8, min);
    b.d.set(c.d);
    b.dmin.set(c.dmin);
    b.scales.set(scale, min);
    pack_planes<4, 32>(c.code, 0, b.qs);
}

inline void pack(const AffineCodes& c, BlockQ4_K& b) { pack_common(c, b); }

inline void pack(const AffineCodes& c, BlockQ5_K& b) {
    pack_common(c, b);
    pack_planes<1, 32>(c.code, 4, b.qh);
}

inline void pack(const SymmetricCodes& c, BlockQ6_K& b) {
    pack_planes<4, 64>(c.code, 0, b.ql);
    pack_planes<2, 32>(c.code, 4, b.qh);
    std::copy_n(c.scale, 16, b.scales);
    b.d.set(c.d);
}

std::span<const Kernels> k_kernels() {
    static constexpr Kernels table[] = {
        kernels<BlockQ2_K, AffineEncoder<Q2_K>>(),    kernels<BlockQ3_K, SymmetricEncoder<Q3_K>>(),
        kernels<BlockQ4_K, AffineEncoder<Q4_K>>(),    kernels<BlockQ5_K, AffineEncoder<Q5_K>>(),
        kernels<BlockQ6_K, SymmetricEncoder<Q6_K>>(), kernels<BlockQ8_K>(),
    };
    return table;
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(k_kernels);
std::span<const Kernels> k_kernels() { return HWY_DYNAMIC_DISPATCH(k_kernels)(); }

}  // namespace ggufkit::quant
#endif
