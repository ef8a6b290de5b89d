// The tensor types of GGUF: one table that every other part reads.
//
// Purpose: facts of each type (id, name, block shape, fields, standing) in one registry row; sizes computed with
//   checked arithmetic.
//
//     const ggufkit::FormatInfo* format = ggufkit::find_format("q4_k");
//     fmt::print("{} weights in {} bytes\n", format->block_elements, format->block_bytes);  // 256 in 144
//     const auto row = ggufkit::row_bytes(*format, 4096);                                    // 2304
//     if (!row) return complain(row.error());
//
// Ownership: rows are static and constant; pointers to them stay valid for ever.
// Thread-safety: immutable.
// Source: spec/quant-formats.md.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include <ggufkit/error.hpp>

namespace ggufkit {

// The ids of the file format (ggml_type). Only the types that can be a tensor's type are enumerators; removed and
// foreign ids have rows in the registry and stay plain numbers.
enum class TensorType : std::uint32_t {
    F32 = 0,
    F16 = 1,
    Q4_0 = 2,
    Q4_1 = 3,
    Q5_0 = 6,
    Q5_1 = 7,
    Q8_0 = 8,
    Q8_1 = 9,
    Q2_K = 10,
    Q3_K = 11,
    Q4_K = 12,
    Q5_K = 13,
    Q6_K = 14,
    Q8_K = 15,
    IQ2_XXS = 16,
    IQ2_XS = 17,
    IQ3_XXS = 18,
    IQ1_S = 19,
    IQ4_NL = 20,
    IQ3_S = 21,
    IQ2_S = 22,
    IQ4_XS = 23,
    I8 = 24,
    I16 = 25,
    I32 = 26,
    I64 = 27,
    F64 = 28,
    IQ1_M = 29,
    BF16 = 30,
    TQ1_0 = 34,
    TQ2_0 = 35,
    MXFP4 = 39,
    NVFP4 = 40,
    Q1_0 = 41,
    Q2_0 = 42,
};

enum class Family : std::uint8_t { plain, legacy, k, iq, ternary, fp4, none };

enum class Standing : std::uint8_t {
    active,           // a weight type
    activation_only,  // exists in runtimes, never as a weight (Q8_1, Q8_K)
    removed,          // an id that llama.cpp took back
    foreign,          // an id of ik_llama.cpp: named, never decoded
};

// What the reference's quantizer demands.
enum class ImatrixNeed : std::uint8_t { none, file_type_rule, always };

// What the numbers of a field are. The floating kinds are what has to be finite: see check_blocks().
enum class Number : std::uint8_t {
    bits,  // codes, packed scales, signs
    integer,
    f16,
    bf16,
    f32,
    f64,
    e8m0,
    ue4m3,
    f16_in_top_nibbles,  // four words whose bits 15..12 make one f16 (IQ1_M)
};

// A run of numbers inside a block: `count` numbers of `width` bytes, `stride` bytes apart, the first at `offset`. This
// is what byte-swapping a block of a big-endian file needs, what finds bad scales, and what prints a raw block. The
// fields of a format cover every byte of its block once.
struct Field {
    std::string_view name;
    std::uint16_t offset;
    std::uint8_t width;  // 1, 2, 4 or 8
    std::uint16_t count;
    std::uint16_t stride;
    Number number = Number::bits;
};

struct FormatInfo {
    std::uint32_t id;
    std::string_view name;  // as the field spells it: "Q4_K"
    Family family;
    Standing standing;
    std::uint32_t block_elements;  // 0 for removed and foreign ids
    std::uint32_t block_bytes;     // sizeof the block struct; 0 for removed and foreign ids
    std::span<const Field> fields;
    ImatrixNeed imatrix;
    std::uint32_t
        fallback;  // id of the type used where ne[0] is no multiple of block_elements; its own id where there is none

    constexpr TensorType type() const { return static_cast<TensorType>(id); }
    constexpr bool usable() const { return block_bytes != 0; }
    constexpr bool quantized() const { return block_elements > 1; }
    // Bits per weight, exact: 8 * block_bytes / block_elements.
    constexpr double bpw() const { return usable() ? 8.0 * block_bytes / block_elements : 0.0; }
};

// Every row, in order of id.
std::span<const FormatInfo> formats() noexcept;

// The row of an id, or null for an id that nobody is known to use.
const FormatInfo* find_format(std::uint32_t id) noexcept;

// The row of a name in any case ("q4_k", "Q4_K"), or null.
const FormatInfo* find_format(std::string_view name) noexcept;

// The row of an enumerator; there always is one.
const FormatInfo& format_of(TensorType type) noexcept;

// Bytes of one row of `ne0` elements. Errors: BAD_TENSOR_TYPE if the format has no layout, BAD_ROW if ne0 is not a
// whole number of blocks, SIZE_OVERFLOW.
Result<std::uint64_t> row_bytes(const FormatInfo& format, std::uint64_t ne0);

// Bytes of a whole tensor of shape `ne` (ne[0] first; no dimensions mean a scalar). Errors as row_bytes.
Result<std::uint64_t> tensor_bytes(const FormatInfo& format, std::span<const std::uint64_t> ne);

}  // namespace ggufkit
