// The encoders of IQ1, IQ2 and IQ3: what sets the formats apart, and how their points are packed.
#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "quant/iq/quantize.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include <cstring>

#include "quant/iq/blocks.hpp"
#include "quant/iq/encoder.hpp"
#include "quant/iq/formats.hpp"
#include "quant/iq/iq.hpp"

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

// A super-block of what an encoder found.
template <class Found>
class View {
  public:
    static constexpr int n = Found::sub_block;
    View(const Found& found, int b) : found_(found), first_(b * (256 / n)), b_(b) {}

    float d() const { return found_.d(b_); }
    unsigned scale(int k) const { return found_.scale(first_ + k); }
    // Of the group of eight elements i.
    unsigned signs(int i) const { return found_.signs(first_ + 8 * i / n, i % (n / 8)); }
    unsigned down(int i) const { return found_.down(first_ + 8 * i / n, i % (n / 8)); }
    // Point i of `length` elements.
    template <int length>
    unsigned point(int i) const {
        return found_.point(first_ + length * i / n, i % (n / length));
    }

  private:
    const Found& found_;
    int first_;
    int b_;
};

// A word of four sign codes below a scale.
template <class Found>
std::uint32_t signs_and_scale(const View<Found>& v, int k) {
    std::uint32_t word = v.scale(k) << 28;
    for (int l = 0; l < 4; ++l) word |= (v.signs(4 * k + l) & 127u) << (7 * l);
    return word;
}

inline std::uint8_t byte(unsigned value) { return static_cast<std::uint8_t>(value); }

template <class Found>
void pack(const View<Found>& v, BlockIQ2_XXS& b) {
    for (int k = 0; k < 8; ++k) {
        for (int l = 0; l < 4; ++l) b.groups[k].index[l] = byte(v.template point<8>(4 * k + l));
        b.groups[k].signs_and_scale.set(signs_and_scale(v, k));
    }
    b.d.set(v.d());
}

template <class Found>
void pack(const View<Found>& v, BlockIQ2_XS& b) {
    for (int i = 0; i < 32; ++i) {
        b.qs[i].set(static_cast<std::uint16_t>(v.template point<8>(i) | (v.signs(i) & 127u) << 9));
    }
    for (int k = 0; k < 8; ++k) b.scales[k] = byte(v.scale(2 * k) | v.scale(2 * k + 1) << 4);
    b.d.set(v.d());
}

template <class Found>
void pack(const View<Found>& v, BlockIQ2_S& b) {
    for (int i = 0; i < 32; ++i) {
        const unsigned point = v.template point<8>(i);
        b.qs[i] = byte(point & 255u);
        b.qh[i / 4] = byte(b.qh[i / 4] | (point >> 8) << (2 * (i % 4)));
        b.signs[i] = byte(v.signs(i));
    }
    for (int k = 0; k < 8; ++k) b.scales[k] = byte(v.scale(2 * k) | v.scale(2 * k + 1) << 4);
    b.d.set(v.d());
}

template <class Found>
void pack(const View<Found>& v, BlockIQ3_XXS& b) {
    for (int i = 0; i < 64; ++i) b.qs[i] = byte(v.template point<4>(i));
    for (int k = 0; k < 8; ++k) b.signs_and_scale[k].set(signs_and_scale(v, k));
    b.d.set(v.d());
}

template <class Found>
void pack(const View<Found>& v, BlockIQ3_S& b) {
    for (int i = 0; i < 64; ++i) {
        const unsigned point = v.template point<4>(i);
        b.qs[i] = byte(point & 255u);
        b.qh[i / 8] = byte(b.qh[i / 8] | (point >> 8) << (i % 8));
    }
    for (int i = 0; i < 32; ++i) b.signs[i] = byte(v.signs(i));
    for (int k = 0; k < 4; ++k) b.scales[k] = byte(v.scale(2 * k) | v.scale(2 * k + 1) << 4);
    b.d.set(v.d());
}

template <class Found>
void pack(const View<Found>& v, BlockIQ1_S& b) {
    for (int k = 0; k < 8; ++k) {
        unsigned high = v.scale(k) << 12 | v.down(4 * k) << 15;
        for (int l = 0; l < 4; ++l) {
            const unsigned point = v.template point<8>(4 * k + l);
            b.qs[4 * k + l] = byte(point & 255u);
            high |= (point >> 8) << (3 * l);
        }
        b.qh[k].set(static_cast<std::uint16_t>(high));
    }
    b.d.set(v.d());
}

template <class Found>
void pack(const View<Found>& v, BlockIQ1_M& b) {
    for (int i = 0; i < 32; ++i) {
        const unsigned point = v.template point<8>(i);
        b.qs[i] = byte(point & 255u);
        b.qh[i / 2] = byte(b.qh[i / 2] | (point >> 8 | v.down(i) << 3) << (4 * (i % 2)));
    }
    const std::uint16_t d = float_to_half(v.d());
    for (int w = 0; w < 4; ++w) {
        unsigned word = (d >> (4 * w) & 15u) << 12;
        for (int l = 0; l < 4; ++l) word |= v.scale(4 * w + l) << (3 * l);
        b.scales.words[w].set(static_cast<std::uint16_t>(word));
    }
}

template <class Format, class Block>
void quantize(const SourceRows& rows, std::byte* out) {
    using Found = CodebookEncoder<Format>;
    for (std::size_t i = 0; i < rows.count(); i += std::size_t{Found::super_blocks} * super_block_size) {
        const BatchSource<Found::sub_block> source(rows, i, super_block_size);
        const Found found(source);
        for (std::size_t b = 0; b < Found::super_blocks && i + b * super_block_size < rows.count(); ++b) {
            Block block{};
            pack(View<Found>(found, static_cast<int>(b)), block);
            std::memcpy(out, &block, sizeof block);
            out += sizeof block;
        }
    }
}

void quantize_iq1_s(const SourceRows& rows, std::byte* out) { quantize<IQ1_S, BlockIQ1_S>(rows, out); }
void quantize_iq1_m(const SourceRows& rows, std::byte* out) { quantize<IQ1_M, BlockIQ1_M>(rows, out); }
void quantize_iq2_xxs(const SourceRows& rows, std::byte* out) { quantize<IQ2_XXS, BlockIQ2_XXS>(rows, out); }
void quantize_iq2_xs(const SourceRows& rows, std::byte* out) { quantize<IQ2_XS, BlockIQ2_XS>(rows, out); }
void quantize_iq2_s(const SourceRows& rows, std::byte* out) { quantize<IQ2_S, BlockIQ2_S>(rows, out); }
void quantize_iq3_xxs(const SourceRows& rows, std::byte* out) { quantize<IQ3_XXS, BlockIQ3_XXS>(rows, out); }
void quantize_iq3_s(const SourceRows& rows, std::byte* out) { quantize<IQ3_S, BlockIQ3_S>(rows, out); }

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace ggufkit::quant {

HWY_EXPORT(quantize_iq1_s);
HWY_EXPORT(quantize_iq1_m);
HWY_EXPORT(quantize_iq2_xxs);
HWY_EXPORT(quantize_iq2_xs);
HWY_EXPORT(quantize_iq2_s);
HWY_EXPORT(quantize_iq3_xxs);
HWY_EXPORT(quantize_iq3_s);

void quantize_iq1_s(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq1_s)(rows, out); }
void quantize_iq1_m(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq1_m)(rows, out); }
void quantize_iq2_xxs(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq2_xxs)(rows, out); }
void quantize_iq2_xs(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq2_xs)(rows, out); }
void quantize_iq2_s(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq2_s)(rows, out); }
void quantize_iq3_xxs(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq3_xxs)(rows, out); }
void quantize_iq3_s(const SourceRows& rows, std::byte* out) { HWY_DYNAMIC_DISPATCH(quantize_iq3_s)(rows, out); }

}  // namespace ggufkit::quant
#endif
