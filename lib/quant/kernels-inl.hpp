// Lifts unpack(const Block&, CodesOut) and an encoder, which quant/<family>/kernels.cpp has for a block struct, to the
// kernels of a type: runs of blocks to codes or numbers, and rows to blocks.
//
// Compiled once for each target, as every -inl.hpp. Numbers need four times the room of codes, so codes become bytes
// first, as many as a vector holds, and then numbers.
#include <hwy/highway.h>

#include <algorithm>
#include <cstdint>

#include "format/packed.hpp"
#include "quant/codes.hpp"
#include "quant/kernels.hpp"
#include "quant/search/blocks-inl.hpp"

#if defined(GGUFKIT_QUANT_KERNELS_INL_HPP_) == defined(HWY_TARGET_TOGGLE)
#ifdef GGUFKIT_QUANT_KERNELS_INL_HPP_
#undef GGUFKIT_QUANT_KERNELS_INL_HPP_
#else
#define GGUFKIT_QUANT_KERNELS_INL_HPP_
#endif

HWY_BEFORE_NAMESPACE();
namespace ggufkit::quant::HWY_NAMESPACE {

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

// A scale or a min, with the processor's own conversion where it has one. That makes every NaN a quiet one, as would the
// multiplication to come.
HWY_INLINE float number_of(const Half& half) {
#if HWY_TARGET == HWY_AVX2 || HWY_TARGET == HWY_AVX3
    const hn::FixedTag<hwy::float16_t, 4> halves;
    const auto bits = hn::Set(hn::RebindToUnsigned<decltype(halves)>(), half.bits.get());
    return hn::GetLane(hn::PromoteTo(hn::FixedTag<float, 4>(), hn::BitCast(halves, bits)));
#else
    return half.get();
#endif
}

// n codes that have one scale, in bytes, with `zero` taken off: eight at a time, as they may have been stored.
template <int n, int zero = 0, class Byte>
HWY_INLINE void scale_codes(const Byte* codes, float scale, float* HWY_RESTRICT x) {
    const hn::CappedTag<float, 8> tag;
    const hn::Rebind<std::int32_t, decltype(tag)> integers;
    const hn::Rebind<Byte, decltype(tag)> bytes;
    for (std::size_t j = 0; j < n; j += hn::Lanes(tag)) {
        const auto code = hn::PromoteTo(integers, hn::LoadU(bytes, codes + j)) - hn::Set(integers, zero);
        hn::StoreU(hn::ConvertTo(tag, code) * hn::Set(tag, scale), tag, x + j);
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
    const hn::CappedTag<std::uint8_t, std::min(apart, 32)> tag;
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
    const auto begin = reinterpret_cast<std::uintptr_t>(bytes) + distance;  // no pointer: that may not leave its array
    for (std::size_t i = 0; i < size; i += line) {
        __builtin_prefetch(reinterpret_cast<const void*>(begin + i));  // NOLINT(performance-no-int-to-ptr)
    }
}

// Calls visit(block, its index) for each of them, and asks for those behind.
template <class Block, class Visit>
HWY_INLINE void for_blocks(const std::byte* blocks, std::size_t n_blocks, Visit visit) {
    constexpr std::size_t group = std::max<std::size_t>(1, 512 / sizeof(Block));
    for (std::size_t i = 0; i < n_blocks;) {
        fetch_ahead<group * sizeof(Block)>(blocks + i * sizeof(Block));
        const std::size_t end = std::min(i + group, n_blocks);
        for (; i < end; ++i) visit(reinterpret_cast<const Block*>(blocks)[i], i);
    }
}

// Where the codes of a block go, and the scales and mins of its groups.
struct CodesOut {
    std::int8_t* codes;
    float* scales;
    float* mins;

    std::uint8_t* bytes() const { return reinterpret_cast<std::uint8_t*>(codes); }  // where no code is negative
};

// The numbers of one group.
template <CodeGroups of>
HWY_INLINE void scale_group(const std::int8_t* codes, float scale, float min, float* HWY_RESTRICT x) {
    for (int i = 0; i < of.size; i += number_count) {
        const WordLanes code = words_at(codes + i);
        if constexpr (of.mins) {
            hn::StoreU(hn::Set(numbers, scale) * numbers_of(code) - hn::Set(numbers, min), numbers, x + i);
        } else {
            hn::StoreU(hn::Set(numbers, scale) * numbers_of(code - hn::Set(words, of.zero)), numbers, x + i);
        }
    }
}

template <class Block>
HWY_INLINE void decode_block(const Block& b, float* HWY_RESTRICT x) {
    constexpr CodeGroups of = Block::code_groups;
    alignas(64) std::int8_t codes[Block::elements];
    float scales[Block::elements / of.size], mins[Block::elements / of.size];
    unpack(b, CodesOut{codes, scales, mins});
    for (int group = 0; group < static_cast<int>(Block::elements) / of.size; ++group) {
        const int at = group * of.size;
        scale_group<of>(codes + at, scales[group], of.mins ? mins[group] : 0, x + at);
    }
}
template <class Block>
void decode_blocks(const std::byte* blocks, std::size_t n_blocks, float* out) {
    for_blocks<Block>(blocks, n_blocks,
                      [&](const Block& b, std::size_t i) HWY_ATTR { decode_block(b, out + i * Block::elements); });
}

template <class Block>
void unpack_blocks(const std::byte* blocks, std::size_t n_blocks, Codes& codes) {
    constexpr std::size_t groups = Block::elements / Block::code_groups.size;
    codes.groups = Block::code_groups;
    codes.count = n_blocks * Block::elements;
    for_blocks<Block>(blocks, n_blocks, [&](const Block& b, std::size_t i) HWY_ATTR {
        unpack(b, CodesOut{codes.codes + i * Block::elements, codes.scales + i * groups, codes.mins + i * groups});
    });
    codes.fill_up();
}

// A row of a family's table. Without `encode`, the type can only be read.
template <class Block>
constexpr Kernels kernels(EncodeRows* encode = nullptr) {
    Kernels row{Block::type, decode_blocks<Block>, unpack_blocks<Block>, encode};
    if constexpr (requires { Block::largest; }) row.largest = Block::largest;
    return row;
}
template <class Block, class Encoder>
constexpr Kernels kernels() {
    if constexpr (requires { Encoder::super_blocks; }) {
        return kernels<Block>(encode_super_blocks<Block, Encoder>);
    } else {
        return kernels<Block>(encode_blocks<Block, Encoder>);
    }
}

}  // namespace ggufkit::quant::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
