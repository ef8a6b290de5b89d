// Rows of numbers to blocks and back.
//
// Purpose: dequantize any type to float, quantize float to any type that has a quantizer here.
//
//     const auto type = ggufkit::TensorType::Q4_K;
//     std::vector<float> row(4096);
//     std::vector<std::byte> blocks(*ggufkit::row_bytes(ggufkit::format_of(type), row.size()));
//     auto done = ggufkit::quantize_rows(type, row, row.size(), blocks);
//     if (done) done = ggufkit::dequantize_rows(type, blocks, row);
//
// Ownership: works in the caller's buffers and allocates nothing, but for tables that each of the codebook types (IQ1, IQ2,
// IQ3) makes when it is first quantized to: some 50 ms and 350 KiB, which stay.
// Thread-safety: pure functions; rows are independent, so callers split work as they like and get the same bytes.
// Environment: GGUFKIT_SIMD, read once, names the instruction set to work with (avx512, avx2, sse4, neon, scalar), which
// changes no byte. Where it names none that the CPU has, the best of those is used.
// Source: spec/quant-formats.md; spec/quantizers.md says what each quantizer minimises, and how.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include <ggufkit/error.hpp>
#include <ggufkit/format.hpp>
#include <ggufkit/value.hpp>

namespace ggufkit {

// How long a quantizer searches. The bytes of each are the same on every machine.
enum class Effort : std::uint8_t {
    fast,  // for when time is short; no worse than the reference even so
    normal,
    max,  // the least error found here; about the reference's time where that searches, longer than it where not
};
std::string_view name(Effort effort) noexcept;  // "fast", "default", "max"

bool can_dequantize(TensorType type) noexcept;
bool can_quantize(TensorType type) noexcept;

// Decodes blocks into floats; bit-equal to the reference. `blocks` holds whole blocks, native (little-endian) byte
// order, and out.size() is their number of elements. F64 and integers are rounded to the nearest float. Errors:
// UNSUPPORTED, BAD_ROW where sizes do not agree.
Result<void> dequantize_rows(TensorType type, std::span<const std::byte> blocks, std::span<float> out);

// Encodes rows of `ne0` floats. values.size() is a multiple of ne0, out.size() is rows * row_bytes. `importance` is
// empty or has ne0 weights (mean squared activation a column), used for every row. Errors: UNSUPPORTED; BAD_ROW where
// sizes do not agree; BAD_ARGUMENT where a weight is negative, NaN or infinite; BAD_QUANT (offset = index of the value)
// where a value is NaN or infinite, or too large for the type: a block scale would not be finite, or the magnitude is above
// 2688 in NVFP4 or above 1.5 * 2^127 in MXFP4, whose scales have no infinity.
Result<void> quantize_rows(TensorType type, std::span<const float> values, std::size_t ne0, std::span<std::byte> out,
                           std::span<const float> importance = {}, Effort effort = Effort::normal);

// Finds NaN or infinite scales, an E8M0 of 255, and NaN or infinite elements of float types. BAD_QUANT, offset = that
// of the block within `blocks`.
Result<void> check_blocks(TensorType type, std::span<const std::byte> blocks);

// Swaps the bytes of every multi-byte field, in place: big-endian file data to native and back.
void swap_block_bytes(const FormatInfo& format, std::span<std::byte> blocks);

}  // namespace ggufkit
