// From the decoder of one block to that of many, and what decoders have in common: included by
// quant/<family>/dequantize.cpp, which defines decode(const Block&, float*) for each of its structs.
//
// Compiled once for each target. Numbers need four times the room of codes, so codes become bytes first, as many as a
// vector holds, and then numbers.
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "quant/kernels.hpp"

#if defined(GGUFKIT_QUANT_DEQUANTIZE_RUN_HPP) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_DEQUANTIZE_RUN_HPP
#undef GGUFKIT_QUANT_DEQUANTIZE_RUN_HPP
#else
#define GGUFKIT_QUANT_DEQUANTIZE_RUN_HPP
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// At most sixteen numbers, and as many codes.
using Numbers = hn::CappedTag<float, 16>;
using Words = hn::Rebind<std::int32_t, Numbers>;
inline constexpr Numbers numbers{};
inline constexpr Words words{};
inline constexpr int number_count = static_cast<int>(hn::MaxLanes(Numbers()));
using NumberLanes = hn::Vec<Numbers>;
using WordLanes = hn::Vec<Words>;

// Bytes, std::uint8_t or std::int8_t, as words.
template <class Byte>
HWY_INLINE WordLanes words_at(const Byte* bytes) {
    return hn::PromoteTo(words, hn::LoadU(hn::Rebind<Byte, Numbers>(), bytes));
}
HWY_INLINE NumberLanes numbers_of(WordLanes integers) { return hn::ConvertTo(numbers, integers); }

// n codes that have one scale, in bytes. Eight at a time are as fast as sixteen, and faster where `x` is not where a cache
// line begins.
template <int n, class Byte>
HWY_INLINE void scale_codes(const Byte* codes, float scale, float* HWY_RESTRICT x) {
    const hn::CappedTag<float, 8> tag;
    const hn::Rebind<std::int32_t, decltype(tag)> integers;
    const hn::Rebind<Byte, decltype(tag)> bytes;
    for (std::size_t j = 0; j < n; j += hn::Lanes(tag)) {
        const auto code = hn::ConvertTo(tag, hn::PromoteTo(integers, hn::LoadU(bytes, codes + j)));
        hn::StoreU(code * hn::Set(tag, scale), tag, x + j);
    }
}

// Visits the codes of bytes that hold one in each nibble, the low ones first: visit(codes, index of the first of them).
template <int n, class Visit>
HWY_INLINE void for_nibbles(const std::uint8_t* bytes, Visit visit) {
    for (int j = 0; j < n / 2; j += number_count) {
        const WordLanes both = words_at(bytes + j);
        visit(hn::And(both, hn::Set(words, 15)), j);
        visit(hn::ShiftRight<4>(both), j + n / 2);
    }
}

// The entries of `table` that the nibbles of sixteen bytes name, the low ones in order and then the high ones.
HWY_INLINE void look_up_nibbles(const std::int8_t (&table)[16], const std::uint8_t* bytes, std::int8_t* entries) {
#if HWY_TARGET == HWY_BASELINE_SCALAR
    for (int j = 0; j < 16; ++j) {
        entries[j] = table[bytes[j] & 15];
        entries[j + 16] = table[bytes[j] >> 4];
    }
#else
    const hn::FixedTag<std::int8_t, 16> tag;
    const hn::FixedTag<std::uint8_t, 16> unsigned_tag;
    const auto values = hn::LoadU(tag, table);
    const auto both = hn::LoadU(unsigned_tag, bytes);
    const auto low = hn::And(both, hn::Set(unsigned_tag, 15));
    hn::StoreU(hn::TableLookupBytes(values, hn::BitCast(tag, low)), tag, entries);
    hn::StoreU(hn::TableLookupBytes(values, hn::BitCast(tag, hn::ShiftRight<4>(both))), tag, entries + 16);
#endif
}

// The counterpart of pack_planes(): sets bits shift .. shift + width - 1 of `codes` where shift is 0, and adds them
// elsewhere.
template <int width, int apart, int shift = 0, int plane = 0, std::size_t size>
HWY_INLINE void unpack_planes(const std::uint8_t (&bytes)[size], std::uint8_t* HWY_RESTRICT codes) {
    static_assert(size % apart == 0);
    const hn::CappedTag<std::uint8_t, 32> tag;
    constexpr int planes = 8 / width, down = width * plane - shift;
    const auto mask = hn::Set(tag, static_cast<std::uint8_t>(((1 << width) - 1) << shift));
    for (std::size_t run = 0; run < size; run += apart) {
        for (std::size_t i = 0; i < apart; i += hn::Lanes(tag)) {
            std::uint8_t* const to = codes + run * planes + plane * apart + i;
            auto bits = hn::LoadU(tag, bytes + run + i);
            if constexpr (down > 0) bits = hn::ShiftRight<down>(bits);
            if constexpr (down < 0) bits = hn::ShiftLeft<-down>(bits);
            bits = hn::And(bits, mask);
            hn::StoreU(shift == 0 ? bits : hn::Or(bits, hn::LoadU(tag, to)), tag, to);
        }
    }
    if constexpr (plane + 1 < planes) unpack_planes<width, apart, shift, plane + 1>(bytes, codes);
}

// Asks for the `size` bytes that come some lines behind these: processors look ahead only within a page, and not far enough
// where a block takes long. Asking for what is not there does nothing.
template <std::size_t size>
HWY_INLINE void fetch_ahead(const std::byte* bytes) {
    constexpr std::size_t distance = 1536, line = 64;
    for (std::size_t i = 0; i < size; i += line) __builtin_prefetch(bytes + distance + i);
}

template <class Block, void (*decode)(const Block&, float*)>
void decode_run(const std::byte* blocks, std::size_t n_blocks, float* out) {
    constexpr bool fetch = Block::elements > 1;
    constexpr std::size_t group = std::max<std::size_t>(1, 512 / sizeof(Block));
    for (std::size_t i = 0; i < n_blocks;) {
        if constexpr (fetch) fetch_ahead<group * sizeof(Block)>(blocks + i * sizeof(Block));
        const std::size_t end = fetch ? std::min(i + group, n_blocks) : n_blocks;
        for (; i < end; ++i) decode(reinterpret_cast<const Block*>(blocks)[i], out + i * Block::elements);
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
