#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <ggufkit/quantize.hpp>
#include <optional>
#include <string>

#include "quant/fp4/blocks.hpp"
#include "quant/iq/blocks.hpp"
#include "quant/k/blocks.hpp"
#include "quant/k/k.hpp"
#include "quant/kernels.hpp"
#include "quant/legacy/blocks.hpp"
#include "quant/legacy/legacy.hpp"
#include "quant/plain/blocks.hpp"
#include "quant/plain/plain.hpp"
#include "quant/ternary/blocks.hpp"

namespace ggufkit {
namespace quant {
namespace {

using enum TensorType;

constexpr Kernels table[] = {
    {F32, dequantize<BlockF32>, quantize_f32},    {F16, dequantize<BlockF16>, quantize_f16},
    {Q4_0, dequantize<BlockQ4_0>, quantize_q4_0}, {Q4_1, dequantize<BlockQ4_1>, quantize_q4_1},
    {Q5_0, dequantize<BlockQ5_0>, quantize_q5_0}, {Q5_1, dequantize<BlockQ5_1>, quantize_q5_1},
    {Q8_0, dequantize<BlockQ8_0>, quantize_q8_0}, {Q8_1, dequantize<BlockQ8_1>, nullptr},
    {Q2_K, dequantize<BlockQ2_K>, quantize_q2_k}, {Q3_K, dequantize<BlockQ3_K>, quantize_q3_k},
    {Q4_K, dequantize<BlockQ4_K>, quantize_q4_k}, {Q5_K, dequantize<BlockQ5_K>, quantize_q5_k},
    {Q6_K, dequantize<BlockQ6_K>, quantize_q6_k}, {Q8_K, dequantize<BlockQ8_K>, nullptr},
    {IQ2_XXS, dequantize<BlockIQ2_XXS>, nullptr}, {IQ2_XS, dequantize<BlockIQ2_XS>, nullptr},
    {IQ3_XXS, dequantize<BlockIQ3_XXS>, nullptr}, {IQ1_S, dequantize<BlockIQ1_S>, nullptr},
    {IQ4_NL, dequantize<BlockIQ4_NL>, nullptr},   {IQ3_S, dequantize<BlockIQ3_S>, nullptr},
    {IQ2_S, dequantize<BlockIQ2_S>, nullptr},     {IQ4_XS, dequantize<BlockIQ4_XS>, nullptr},
    {I8, dequantize<BlockI8>, nullptr},           {I16, dequantize<BlockI16>, nullptr},
    {I32, dequantize<BlockI32>, nullptr},         {I64, dequantize<BlockI64>, nullptr},
    {F64, dequantize<BlockF64>, nullptr},         {IQ1_M, dequantize<BlockIQ1_M>, nullptr},
    {BF16, dequantize<BlockBF16>, quantize_bf16}, {TQ1_0, dequantize<BlockTQ1_0>, nullptr},
    {TQ2_0, dequantize<BlockTQ2_0>, nullptr},     {MXFP4, dequantize<BlockMXFP4>, nullptr},
    {NVFP4, dequantize<BlockNVFP4>, nullptr},     {Q1_0, dequantize<BlockQ1_0>, nullptr},
    {Q2_0, dequantize<BlockQ2_0>, nullptr},
};

}  // namespace

const Kernels* find_kernels(TensorType type) noexcept {
    const auto* const found = std::ranges::find(table, type, &Kernels::type);
    return found == std::end(table) ? nullptr : found;
}

}  // namespace quant

namespace {

tl::unexpected<Error> failure(Errc code, const FormatInfo& format, std::string detail,
                              std::optional<std::uint64_t> offset = {}) {
    return fail(
        {.code = code, .offset = offset, .subject = fmt::format("type {}", format.name), .detail = std::move(detail)});
}

constexpr bool is_finite(float value) { return (std::bit_cast<std::uint32_t>(value) & 0x7f800000u) != 0x7f800000u; }

// The index of the first value that is NaN or infinite, or values.size().
std::size_t first_not_finite(std::span<const float> values) {
    std::uint32_t any = 0;  // without an early exit and as wide as the values, so that it vectorizes
    for (const float value : values) any |= is_finite(value) ? 0u : 1u;
    if (any == 0) return values.size();
    return static_cast<std::size_t>(std::ranges::find_if_not(values, is_finite) - values.begin());
}

}  // namespace

bool can_dequantize(TensorType type) noexcept { return quant::find_kernels(type) != nullptr; }

bool can_quantize(TensorType type) noexcept {
    const quant::Kernels* const kernels = quant::find_kernels(type);
    return kernels != nullptr && kernels->quantize != nullptr;
}

Result<void> dequantize_rows(TensorType type, std::span<const std::byte> blocks, std::span<float> out) {
    const FormatInfo& format = format_of(type);
    if (!can_dequantize(type)) return failure(Errc::unsupported, format, "its layout is not known");
    const auto bytes = row_bytes(format, out.size());
    if (!bytes) return fail(bytes.error());
    if (*bytes != blocks.size()) {
        return failure(Errc::bad_row, format,
                       fmt::format("{} elements take {} bytes, not {}", out.size(), *bytes, blocks.size()));
    }
    quant::find_kernels(type)->dequantize(blocks.data(), blocks.size() / format.block_bytes, out.data());
    return {};
}

Result<void> quantize_rows(TensorType type, std::span<const float> values, std::size_t ne0, std::span<std::byte> out,
                           std::span<const float> importance) {
    const FormatInfo& format = format_of(type);
    if (!can_quantize(type)) return failure(Errc::unsupported, format, "there is no quantizer for this type");
    const auto bytes = row_bytes(format, ne0);
    if (!bytes) return fail(bytes.error());
    const std::size_t rows = ne0 == 0 ? 0 : values.size() / ne0;
    if (rows * ne0 != values.size() || rows * *bytes != out.size()) {
        return failure(Errc::bad_row, format,
                       fmt::format("{} values in rows of {} do not make {} bytes", values.size(), ne0, out.size()));
    }
    if (!importance.empty() && importance.size() != ne0) {
        return failure(Errc::bad_row, format, fmt::format("{} weights for rows of {}", importance.size(), ne0));
    }
    if (!std::ranges::all_of(importance, [](float weight) { return is_finite(weight) && weight >= 0.0f; })) {
        return failure(Errc::bad_argument, format, "a weight of the importance matrix is negative, NaN or infinite");
    }
    const auto* const weights = importance.empty() ? nullptr : importance.data();
    quant::QuantizeRow* const quantize = quant::find_kernels(type)->quantize;
    for (std::size_t row = 0; row < rows; ++row) {
        const auto from = values.subspan(row * ne0, ne0);
        const auto to = out.subspan(row * *bytes, *bytes);
        if (const std::size_t bad = first_not_finite(from); bad != ne0) {
            return failure(Errc::bad_quant, format, fmt::format("value {} is {}", row * ne0 + bad, from[bad]),
                           row * ne0 + bad);
        }
        quantize(from.data(), ne0, to.data(), weights);
        if (const auto checked = check_blocks(type, to); !checked) {
            const std::size_t block = checked.error().offset.value_or(0) / format.block_bytes;
            return failure(Errc::bad_quant, format, "values too large: " + checked.error().detail,
                           row * ne0 + block * format.block_elements);
        }
    }
    return {};
}

}  // namespace ggufkit
