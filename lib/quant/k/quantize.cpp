// The encoders of the k-quants: what sets the formats apart, and how their codes are packed.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/k/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <algorithm>

#include "format/blocks/k.hpp"
#include "quant/k/affine.hpp"
#include "quant/k/k.hpp"
#include "quant/k/symmetric.hpp"
#include "quant/planes.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

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

void quantize_q2_k(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<AffineEncoder<Q2_K>, BlockQ2_K, pack>(rows, out);
}
void quantize_q3_k(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<SymmetricEncoder<Q3_K>, BlockQ3_K, pack>(rows, out);
}
void quantize_q4_k(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<AffineEncoder<Q4_K>, BlockQ4_K, pack>(rows, out);
}
void quantize_q5_k(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<AffineEncoder<Q5_K>, BlockQ5_K, pack>(rows, out);
}
void quantize_q6_k(const SourceRows& rows, std::byte* out) {
    quantize_super_blocks<SymmetricEncoder<Q6_K>, BlockQ6_K, pack>(rows, out);
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(quantize_q2_k);
HWY_EXPORT(quantize_q3_k);
HWY_EXPORT(quantize_q4_k);
HWY_EXPORT(quantize_q5_k);
HWY_EXPORT(quantize_q6_k);

void quantize_q2_k(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q2_k)(rows, out); }
void quantize_q3_k(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q3_k)(rows, out); }
void quantize_q4_k(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q4_k)(rows, out); }
void quantize_q5_k(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q5_k)(rows, out); }
void quantize_q6_k(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_q6_k)(rows, out); }

}  // namespace ggufkit::quant
#endif
