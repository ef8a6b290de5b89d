// The encoders of the k-quants: what sets the formats apart, and how their codes are packed.
#include <algorithm>
#include <cstring>

#include "quant/k/affine.hpp"
#include "quant/k/blocks.hpp"
#include "quant/k/k.hpp"
#include "quant/k/symmetric.hpp"
#include "quant/planes.hpp"

namespace ggufkit::quant {
namespace {

struct Q2_K {
    static constexpr int sub_block = 16, max_code = 3, max_scale = 15;
};
struct Q3_K {
    static constexpr int sub_block = 16, half_range = 4, half_scales = 32;
    static constexpr Weighting weighting = Weighting::square;
};
struct Q4_K {
    static constexpr int sub_block = 32, max_code = 15, max_scale = 63;
};
struct Q5_K {
    static constexpr int sub_block = 32, max_code = 31, max_scale = 63;
};
struct Q6_K {
    static constexpr int sub_block = 16, half_range = 32, half_scales = 128;
    static constexpr Weighting weighting = Weighting::linear;
};

void pack(const AffineCodes& c, BlockQ2_K& b) {
    for (int k = 0; k < 16; ++k) b.scales[k] = static_cast<std::uint8_t>(c.scale[k] | c.min[k] << 4);
    pack_planes<2, 32>(c.code, 0, b.qs);
    b.d.set(c.d);
    b.dmin.set(c.dmin);
}

void pack(const SymmetricCodes& c, BlockQ3_K& b) {
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

void pack(const AffineCodes& c, BlockQ4_K& b) { pack_common(c, b); }

void pack(const AffineCodes& c, BlockQ5_K& b) {
    pack_common(c, b);
    pack_planes<1, 32>(c.code, 4, b.qh);
}

void pack(const SymmetricCodes& c, BlockQ6_K& b) {
    pack_planes<4, 64>(c.code, 0, b.ql);
    pack_planes<2, 32>(c.code, 4, b.qh);
    std::copy_n(c.scale, 16, b.scales);
    b.d.set(c.d);
}

template <class Encoder, class Block>
void quantize(const float* row, std::size_t n, std::byte* out, const float* importance) {
    typename Encoder::Codes codes;
    Block block;
    for (std::size_t i = 0; i < n; i += super_block_size, out += sizeof block) {
        Encoder::encode(row + i, importance ? importance + i : nullptr, codes);
        pack(codes, block);
        std::memcpy(out, &block, sizeof block);
    }
}

}  // namespace

void quantize_q2_k(const float* row, std::size_t n, std::byte* out, const float* importance) {
    quantize<AffineEncoder<Q2_K>, BlockQ2_K>(row, n, out, importance);
}
void quantize_q3_k(const float* row, std::size_t n, std::byte* out, const float* importance) {
    quantize<SymmetricEncoder<Q3_K>, BlockQ3_K>(row, n, out, importance);
}
void quantize_q4_k(const float* row, std::size_t n, std::byte* out, const float* importance) {
    quantize<AffineEncoder<Q4_K>, BlockQ4_K>(row, n, out, importance);
}
void quantize_q5_k(const float* row, std::size_t n, std::byte* out, const float* importance) {
    quantize<AffineEncoder<Q5_K>, BlockQ5_K>(row, n, out, importance);
}
void quantize_q6_k(const float* row, std::size_t n, std::byte* out, const float* importance) {
    quantize<SymmetricEncoder<Q6_K>, BlockQ6_K>(row, n, out, importance);
}

}  // namespace ggufkit::quant
