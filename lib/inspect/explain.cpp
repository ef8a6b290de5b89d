// What blocks are made of, from the layouts in format/blocks/<family>.hpp, one element after another. Slow and plain: the
// decoders are elsewhere, and a test holds both together.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <ggufkit/inspect/peek.hpp>
#include <optional>

#include "format/blocks/fp4.hpp"
#include "format/blocks/iq.hpp"
#include "format/blocks/k.hpp"
#include "format/blocks/legacy.hpp"
#include "format/blocks/plain.hpp"
#include "format/blocks/ternary.hpp"
#include "quant/iq/codebooks.hpp"

namespace ggufkit {

namespace inspect {

namespace {

using namespace format;
using namespace quant;

using Parts = std::vector<BlockPart>;

BlockPart real(std::string_view name, double number) { return {.name = name, .reals = {number}}; }

// `count` integers, number i as `at(i)` says.
template <class At>
BlockPart integers(std::string_view name, int count, At at) {
    BlockPart part{.name = name};
    for (int i = 0; i < count; ++i) part.integers.push_back(static_cast<std::int64_t>(at(i)));
    return part;
}

// Bits `width` i up of a row of bytes.
int bits_at(const std::uint8_t* bytes, int i, int width) {
    return bytes[i * width / 8] >> (i * width % 8) & ((1 << width) - 1);
}

// The code of element i where `n` codes are half-split nibbles.
int half_split(const std::uint8_t* qs, int i, int n) { return i % n < n / 2 ? qs[i % n] & 15 : qs[i % n - n / 2] >> 4; }

// The code of element i in planes of `width` bits, `apart` elements from one another.
int in_planes(const std::uint8_t* bytes, int i, int width, int apart) {
    const int planes = 8 / width, run = i / (planes * apart), plane = i / apart % planes;
    return bytes[run * apart + i % apart] >> (width * plane) & ((1 << width) - 1);
}

// ---------------------------------------------------------------- legacy

Parts explain(const BlockQ4_0& b) {
    return {real("d", b.d.get()), integers("code", 32, [&](int i) { return half_split(b.qs, i, 32); })};
}
Parts explain(const BlockQ4_1& b) {
    return {real("d", b.d.get()), real("m", b.m.get()),
            integers("code", 32, [&](int i) { return half_split(b.qs, i, 32); })};
}
template <class Block>
BlockPart five_bits(const Block& b) {
    return integers("code", 32,
                    [&](int i) { return half_split(b.qs, i, 32) | static_cast<int>(b.qh.get() >> i & 1u) << 4; });
}
Parts explain(const BlockQ5_0& b) { return {real("d", b.d.get()), five_bits(b)}; }
Parts explain(const BlockQ5_1& b) { return {real("d", b.d.get()), real("m", b.m.get()), five_bits(b)}; }
Parts explain(const BlockQ8_0& b) {
    return {real("d", b.d.get()), integers("code", 32, [&](int i) { return b.qs[i]; })};
}
Parts explain(const BlockQ8_1& b) {
    return {real("d", b.d.get()), real("s", b.s.get()), integers("code", 32, [&](int i) { return b.qs[i]; })};
}

// ---------------------------------------------------------------- k

Parts explain(const BlockQ2_K& b) {
    return {real("d", b.d.get()), real("dmin", b.dmin.get()),
            integers("scale", 16, [&](int k) { return b.scales[k] & 15; }),
            integers("min", 16, [&](int k) { return b.scales[k] >> 4; }),
            integers("code", 256, [&](int i) { return in_planes(b.qs, i, 2, 32); })};
}
Parts explain(const BlockQ3_K& b) {
    return {
        real("d", b.d.get()), integers("scale", 16, [&](int k) { return b.scales.scale(k); }),
        integers("code", 256, [&](int i) { return in_planes(b.qs, i, 2, 32) | in_planes(b.hmask, i, 1, 32) << 2; })};
}
template <class Block>
Parts scales_and_mins(const Block& b) {
    return {real("d", b.d.get()), real("dmin", b.dmin.get()),
            integers("scale", 8, [&](int k) { return b.scales.scale(k); }),
            integers("min", 8, [&](int k) { return b.scales.min(k); })};
}
Parts explain(const BlockQ4_K& b) {
    Parts parts = scales_and_mins(b);
    parts.push_back(integers("code", 256, [&](int i) { return in_planes(b.qs, i, 4, 32); }));
    return parts;
}
Parts explain(const BlockQ5_K& b) {
    Parts parts = scales_and_mins(b);
    parts.push_back(
        integers("code", 256, [&](int i) { return in_planes(b.qs, i, 4, 32) | in_planes(b.qh, i, 1, 32) << 4; }));
    return parts;
}
Parts explain(const BlockQ6_K& b) {
    return {real("d", b.d.get()), integers("scale", 16, [&](int k) { return b.scales[k]; }),
            integers("code", 256, [&](int i) { return in_planes(b.ql, i, 4, 64) | in_planes(b.qh, i, 2, 32) << 4; })};
}
Parts explain(const BlockQ8_K& b) {
    return {real("d", b.d.get()), integers("code", 256, [&](int i) { return b.qs[i]; }),
            integers("bsums", 16, [&](int k) { return b.bsums[k].get(); })};
}

// ---------------------------------------------------------------- iq

int nibble(const std::uint8_t* bytes, int i) { return bits_at(bytes, i, 4); }
// Of 8 elements: bit i is set where element i is negative.
unsigned signs_in(std::uint32_t word, int l) { return signs_of_code(word >> (7 * l) & 127u); }

Parts explain(const BlockIQ2_XXS& b) {
    const auto word = [&](int g) { return b.groups[g].signs_and_scale.get(); };
    return {real("d", b.d.get()), integers("scale", 8, [&](int g) { return word(g) >> 28; }),
            integers("grid", 32, [&](int i) { return b.groups[i / 4].index[i % 4]; }),
            integers("signs", 32, [&](int i) { return signs_in(word(i / 4), i % 4); })};
}
Parts explain(const BlockIQ2_XS& b) {
    return {real("d", b.d.get()), integers("scale", 16, [&](int k) { return nibble(b.scales, k); }),
            integers("grid", 32, [&](int i) { return b.qs[i].get() & 511; }),
            integers("signs", 32, [&](int i) { return signs_of_code(b.qs[i].get() >> 9 & 127u); })};
}
Parts explain(const BlockIQ2_S& b) {
    return {real("d", b.d.get()), integers("scale", 16, [&](int k) { return nibble(b.scales, k); }),
            integers("grid", 32, [&](int i) { return b.qs[i] | bits_at(b.qh, i, 2) << 8; }),
            integers("signs", 32, [&](int i) { return b.signs[i]; })};
}
Parts explain(const BlockIQ3_XXS& b) {
    const auto word = [&](int g) { return b.signs_and_scale[g].get(); };
    return {real("d", b.d.get()), integers("scale", 8, [&](int g) { return word(g) >> 28; }),
            integers("grid", 64, [&](int i) { return b.qs[i]; }),
            integers("signs", 32, [&](int i) { return signs_in(word(i / 4), i % 4); })};
}
Parts explain(const BlockIQ3_S& b) {
    return {real("d", b.d.get()), integers("scale", 8, [&](int g) { return nibble(b.scales, g); }),
            integers("grid", 64, [&](int i) { return b.qs[i] | bits_at(b.qh, i, 1) << 8; }),
            integers("signs", 32, [&](int i) { return b.signs[i]; })};
}
Parts explain(const BlockIQ1_S& b) {
    const auto high = [&](int g) { return int{b.qh[g].get()}; };
    return {real("d", b.d.get()), integers("scale", 8, [&](int g) { return high(g) >> 12 & 7; }),
            integers("grid", 32, [&](int i) { return b.qs[i] | (high(i / 4) >> (3 * (i % 4)) & 7) << 8; }),
            integers("shift", 8, [&](int g) { return (high(g) & 0x8000) != 0 ? -1 : 1; })};
}
Parts explain(const BlockIQ1_M& b) {
    return {real("d", b.scales.d()), integers("scale", 16, [&](int k) { return b.scales.scale(k); }),
            integers("grid", 32, [&](int i) { return b.qs[i] | (nibble(b.qh, i) & 7) << 8; }),
            integers("shift", 32, [&](int i) { return (nibble(b.qh, i) & 8) != 0 ? -1 : 1; })};
}
Parts explain(const BlockIQ4_NL& b) {
    return {real("d", b.d.get()), integers("code", 32, [&](int i) { return half_split(b.qs, i, 32); })};
}
Parts explain(const BlockIQ4_XS& b) {
    return {real("d", b.d.get()), integers("scale", 8, [&](int k) { return b.scale(k); }),
            integers("code", 256, [&](int i) { return half_split(b.qs + i / 32 * 16, i, 32); })};
}

// ---------------------------------------------------------------- ternary, fp4

// Trit `t` of a byte.
int trit(std::uint8_t byte, int t) {
    unsigned fraction = byte;
    for (; t > 0; --t) fraction = fraction * 3 & 255u;
    return static_cast<int>(fraction * 3 >> 8);
}
Parts explain(const BlockTQ1_0& b) {
    return {real("d", b.d.get()), integers("code", 256, [&](int i) {
                if (i < 160) return trit(b.qs[i % 32], i / 32);
                if (i < 240) return trit(b.qs[32 + i % 16], (i - 160) / 16);
                return trit(b.qh[i % 4], (i - 240) / 4);
            })};
}
Parts explain(const BlockTQ2_0& b) {
    return {real("d", b.d.get()), integers("code", 256, [&](int i) { return in_planes(b.qs, i, 2, 32); })};
}
Parts explain(const BlockQ1_0& b) {
    return {real("d", b.d.get()), integers("code", 128, [&](int i) { return bits_at(b.qs, i, 1); })};
}
Parts explain(const BlockQ2_0& b) {
    return {real("d", b.d.get()), integers("code", 64, [&](int i) { return bits_at(b.qs, i, 2); })};
}
Parts explain(const BlockMXFP4& b) {
    return {integers("e", 1, [&](int) { return b.e.bits; }), real("d", 2 * double{b.e.half()}),
            integers("code", 32, [&](int i) { return half_split(b.qs, i, 32); })};
}
Parts explain(const BlockNVFP4& b) {
    BlockPart d{.name = "d"};
    for (const UE4M3 scale : b.d) d.reals.push_back(2 * double{scale.half()});
    return {std::move(d), integers("code", 64, [&](int i) { return half_split(b.qs + i / 16 * 8, i, 16); })};
}

// ---------------------------------------------------------------- all of them

template <class Block>
Parts explain_one(std::span<const std::byte> bytes) {
    Block block;
    std::memcpy(&block, bytes.data(), sizeof block);
    return explain(block);
}

template <class Block>
Parts explain_plain(std::span<const std::byte> bytes) {
    BlockPart part{.name = "value"};
    for (std::size_t at = 0; at < bytes.size(); at += sizeof(Block)) {
        Block block;
        std::memcpy(&block, bytes.data() + at, sizeof block);
        if constexpr (std::is_integral_v<decltype(block.value.get())>) {
            part.integers.push_back(block.value.get());
        } else {
            part.reals.push_back(block.value.get());
        }
    }
    return {std::move(part)};
}

struct Row {
    TensorType type;
    Parts (*explain)(std::span<const std::byte>);
    std::string_view formula;
};

constexpr std::string_view grid_iq2 = "x = d * (scale + 1/2) / 4 * grid * sign";
constexpr std::string_view grid_iq1 = "x = d * (2 scale + 1) * (grid + shift / 8)";
constexpr std::string_view d_m = "x = d * code + m", minima = "x = d * scale * code - dmin * min";

template <class Block>
constexpr Row row(std::string_view formula) {
    return {Block::type, explain_one<Block>, formula};
}
template <class Block>
constexpr Row plain() {
    return {Block::type, explain_plain<Block>, "x = value"};
}

constexpr Row rows[] = {
    plain<BlockF32>(),
    plain<BlockF16>(),
    plain<BlockBF16>(),
    plain<BlockF64>(),
    plain<BlockI8>(),
    plain<BlockI16>(),
    plain<BlockI32>(),
    plain<BlockI64>(),
    row<BlockQ4_0>("x = d * (code - 8)"),
    row<BlockQ4_1>(d_m),
    row<BlockQ5_0>("x = d * (code - 16)"),
    row<BlockQ5_1>(d_m),
    row<BlockQ8_0>("x = d * code"),
    row<BlockQ8_1>("x = d * code"),
    row<BlockQ2_K>(minima),
    row<BlockQ3_K>("x = d * scale * (code - 4)"),
    row<BlockQ4_K>(minima),
    row<BlockQ5_K>(minima),
    row<BlockQ6_K>("x = d * scale * (code - 32)"),
    row<BlockQ8_K>("x = d * code"),
    row<BlockIQ2_XXS>(grid_iq2),
    row<BlockIQ2_XS>(grid_iq2),
    row<BlockIQ2_S>(grid_iq2),
    row<BlockIQ3_XXS>("x = d * (scale + 1/2) / 2 * grid * sign"),
    row<BlockIQ3_S>("x = d * (2 scale + 1) * grid * sign"),
    row<BlockIQ1_S>(grid_iq1),
    row<BlockIQ1_M>(grid_iq1),
    row<BlockIQ4_NL>("x = d * table[code]"),
    row<BlockIQ4_XS>("x = d * (scale - 32) * table[code]"),
    row<BlockTQ1_0>("x = d * (code - 1)"),
    row<BlockTQ2_0>("x = d * (code - 1)"),
    row<BlockQ1_0>("x = code = 1 ? d : -d"),
    row<BlockQ2_0>("x = d * (code - 1)"),
    row<BlockMXFP4>("x = d * E2M1(code), d = 2^(e - 127)"),
    row<BlockNVFP4>("x = d * E2M1(code)"),
};

const Row* find_row(TensorType type) {
    const auto* const found = std::ranges::find(rows, type, &Row::type);
    return found == std::end(rows) ? nullptr : found;
}

}  // namespace

}  // namespace inspect

std::string_view block_formula(TensorType type) noexcept {
    const inspect::Row* const row = inspect::find_row(type);
    return row == nullptr ? std::string_view() : row->formula;
}

Result<std::vector<BlockPart>> explain_block(TensorType type, std::span<const std::byte> block) {
    const FormatInfo& format = format_of(type);
    const inspect::Row* const row = inspect::find_row(type);
    const auto refuse = [&](Errc code, std::string detail) {
        return fail({.code = code, .subject = fmt::format("type {}", format.name), .detail = std::move(detail)});
    };
    if (row == nullptr) return refuse(Errc::unsupported, "its layout is not known");
    const bool fits = format.quantized() ? block.size() == format.block_bytes : block.size() % format.block_bytes == 0;
    if (!fits) return refuse(Errc::bad_row, fmt::format("{} bytes are not one block", block.size()));
    return row->explain(block);
}

}  // namespace ggufkit
