#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/iq/dequantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "quant/dequantize_run.hpp"
#include "quant/iq/blocks.hpp"
#include "quant/iq/codebooks.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// One point of a codebook, scaled; bit i of `signs` makes coordinate i negative.
template <int length>
static void decode_point(const std::int8_t (&point)[length], float scale, unsigned signs, float* x) {
    for (int i = 0; i < length; ++i) {
        const int sign = 1 - 2 * static_cast<int>(signs >> i & 1u);  // no branch: signs are as good as random
        x[i] = scale * static_cast<float>(point[i] * sign);
    }
}

// One point of IQ1: every coordinate is shifted by an eighth, up or down.
static void decode_shifted_point(const std::int8_t (&point)[8], float scale, bool down, float* x) {
    const hn::CappedTag<float, 8> eight;
    const auto shift = hn::Set(eight, down ? -0.125f : 0.125f);
    for (std::size_t i = 0; i < 8; i += hn::Lanes(eight)) {
        const auto bytes = hn::LoadU(hn::Rebind<std::int8_t, decltype(eight)>(), point + i);
        const auto coordinates =
            hn::ConvertTo(eight, hn::PromoteTo(hn::Rebind<std::int32_t, decltype(eight)>(), bytes));
        hn::StoreU(hn::Set(eight, scale) * (coordinates + shift), eight, x + i);
    }
}

// Entry i of an array of nibbles, low nibble first.
static int nibble(const std::uint8_t* bytes, int i) { return bytes[i / 2] >> (4 * (i % 2)) & 15; }

// d * (scale + 1/2) / 4: the scales of the IQ2 types.
static float iq2_scale(float d, int scale) { return d * (0.5f + static_cast<float>(scale)) * 0.25f; }

// Sign code l of a word that holds four of them below a scale.
static unsigned sign_code(std::uint32_t word, int l) { return signs_of_code(word >> (7 * l) & 127u); }

static void decode(const BlockIQ2_XXS& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (const BlockIQ2_XXS::Group& group : b.groups) {
        const std::uint32_t word = group.signs_and_scale.get();
        const float scale = iq2_scale(d, static_cast<int>(word >> 28));
        for (int l = 0; l < 4; ++l, x += 8)
            decode_point(grid_iq2_xxs.points[group.index[l]], scale, sign_code(word, l), x);
    }
}

static void decode(const BlockIQ2_XS& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int i = 0; i < 32; ++i, x += 8) {
        const unsigned q = b.qs[i].get();
        decode_point(grid_iq2_xs.points[q & 511u], iq2_scale(d, nibble(b.scales, i / 2)), signs_of_code(q >> 9), x);
    }
}

static void decode(const BlockIQ2_S& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int i = 0; i < 32; ++i, x += 8) {
        const int index = b.qs[i] | (b.qh[i / 4] >> (2 * (i % 4)) & 3) << 8;
        decode_point(grid_iq2_s.points[index], iq2_scale(d, nibble(b.scales, i / 2)), b.signs[i], x);
    }
}

static void decode(const BlockIQ3_XXS& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int i = 0; i < 64; ++i, x += 4) {
        const std::uint32_t word = b.signs_and_scale[i / 8].get();
        const float scale = d * (0.5f + static_cast<float>(word >> 28)) * 0.5f;
        decode_point(grid_iq3_xxs.points[b.qs[i]], scale, sign_code(word, i / 2 % 4) >> (4 * (i % 2)), x);
    }
}

static void decode(const BlockIQ3_S& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int i = 0; i < 64; ++i, x += 4) {
        const int index = b.qs[i] | (b.qh[i / 8] >> (i % 8) & 1) << 8;
        const float scale = d * static_cast<float>(1 + 2 * nibble(b.scales, i / 8));
        decode_point(grid_iq3_s.points[index], scale, static_cast<unsigned>(nibble(b.signs, i)), x);
    }
}

static void decode(const BlockIQ1_S& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int i = 0; i < 32; ++i, x += 8) {
        const int high = b.qh[i / 4].get();
        const int index = b.qs[i] | (high >> (3 * (i % 4)) & 7) << 8;
        const float scale = d * static_cast<float>(2 * (high >> 12 & 7) + 1);
        decode_shifted_point(grid_iq1.points[index], scale, (high & 0x8000) != 0, x);
    }
}

static void decode(const BlockIQ1_M& b, float* HWY_RESTRICT x) {
    const float d = b.scales.d();
    for (int i = 0; i < 32; ++i, x += 8) {
        const int high = nibble(b.qh, i);
        const int index = b.qs[i] | (high & 7) << 8;
        const float scale = d * static_cast<float>(2 * b.scales.scale(i / 2) + 1);
        decode_shifted_point(grid_iq1.points[index], scale, (high & 8) != 0, x);
    }
}

// 32 half-split codes of the table of values.
static void decode_codes(const std::uint8_t* qs, float scale, float* x) {
    std::int8_t values[32];
    look_up_nibbles(iq4_values, qs, values);
    for (int j = 0; j < 32; j += number_count) {
        hn::StoreU(hn::Set(numbers, scale) * numbers_of(words_at(values + j)), numbers, x + j);
    }
}

static void decode(const BlockIQ4_NL& b, float* HWY_RESTRICT x) { decode_codes(b.qs, b.d.get(), x); }

static void decode(const BlockIQ4_XS& b, float* HWY_RESTRICT x) {
    const float d = b.d.get();
    for (int k = 0; k < 8; ++k) decode_codes(b.qs + 16 * k, d * static_cast<float>(b.scale(k) - 32), x + 32 * k);
}

void dequantize_iq(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    switch (type) {
        case TensorType::IQ2_XXS: return decode_run<BlockIQ2_XXS, decode>(blocks, n_blocks, out);
        case TensorType::IQ2_XS: return decode_run<BlockIQ2_XS, decode>(blocks, n_blocks, out);
        case TensorType::IQ2_S: return decode_run<BlockIQ2_S, decode>(blocks, n_blocks, out);
        case TensorType::IQ3_XXS: return decode_run<BlockIQ3_XXS, decode>(blocks, n_blocks, out);
        case TensorType::IQ3_S: return decode_run<BlockIQ3_S, decode>(blocks, n_blocks, out);
        case TensorType::IQ1_S: return decode_run<BlockIQ1_S, decode>(blocks, n_blocks, out);
        case TensorType::IQ1_M: return decode_run<BlockIQ1_M, decode>(blocks, n_blocks, out);
        case TensorType::IQ4_NL: return decode_run<BlockIQ4_NL, decode>(blocks, n_blocks, out);
        case TensorType::IQ4_XS: return decode_run<BlockIQ4_XS, decode>(blocks, n_blocks, out);
        default: return;
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(dequantize_iq);
void dequantize_iq(TensorType type, const std::byte* blocks, std::size_t n_blocks, float* out) {
    HWY_DYNAMIC_DISPATCH(dequantize_iq)(type, blocks, n_blocks, out);
}

}  // namespace ggufkit::quant
#endif
