#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <ggufkit/quantize.hpp>
#include <limits>
#include <optional>
#include <string>

#include "format/blocks/fp4.hpp"
#include "quant/fp4/fp4.hpp"
#include "quant/iq/iq.hpp"
#include "quant/iq/iq4.hpp"
#include "quant/k/k.hpp"
#include "quant/kernels.hpp"
#include "quant/legacy/legacy.hpp"
#include "quant/measure/finite.hpp"
#include "quant/plain/plain.hpp"
#include "quant/simd/target.hpp"
#include "quant/ternary/ternary.hpp"

namespace ggufkit {
namespace quant {
namespace {

using enum TensorType;

constexpr Kernels table[] = {
    {F32, dequantize_plain, nullptr, quantize_f32},
    {F16, dequantize_plain, nullptr, quantize_f16},
    {Q4_0, dequantize_legacy, unpack_legacy, quantize_q4_0},
    {Q4_1, dequantize_legacy, unpack_legacy, quantize_q4_1},
    {Q5_0, dequantize_legacy, unpack_legacy, quantize_q5_0},
    {Q5_1, dequantize_legacy, unpack_legacy, quantize_q5_1},
    {Q8_0, dequantize_legacy, unpack_legacy, quantize_q8_0},
    {Q8_1, dequantize_legacy, unpack_legacy, nullptr},
    {Q2_K, dequantize_k, unpack_k, quantize_q2_k},
    {Q3_K, dequantize_k, unpack_k, quantize_q3_k},
    {Q4_K, dequantize_k, unpack_k, quantize_q4_k},
    {Q5_K, dequantize_k, unpack_k, quantize_q5_k},
    {Q6_K, dequantize_k, unpack_k, quantize_q6_k},
    {Q8_K, dequantize_k, unpack_k, nullptr},
    {IQ2_XXS, dequantize_iq, unpack_iq, quantize_iq2_xxs},
    {IQ2_XS, dequantize_iq, unpack_iq, quantize_iq2_xs},
    {IQ3_XXS, dequantize_iq, unpack_iq, quantize_iq3_xxs},
    {IQ1_S, dequantize_iq, unpack_iq, quantize_iq1_s},
    {IQ4_NL, dequantize_iq, unpack_iq, quantize_iq4_nl},
    {IQ3_S, dequantize_iq, unpack_iq, quantize_iq3_s},
    {IQ2_S, dequantize_iq, unpack_iq, quantize_iq2_s},
    {IQ4_XS, dequantize_iq, unpack_iq, quantize_iq4_xs},
    {I8, dequantize_plain, nullptr, nullptr},
    {I16, dequantize_plain, nullptr, nullptr},
    {I32, dequantize_plain, nullptr, nullptr},
    {I64, dequantize_plain, nullptr, nullptr},
    {F64, dequantize_plain, nullptr, nullptr},
    {IQ1_M, dequantize_iq, unpack_iq, quantize_iq1_m},
    {BF16, dequantize_plain, nullptr, quantize_bf16},
    {TQ1_0, dequantize_ternary, unpack_ternary, quantize_tq1_0},
    {TQ2_0, dequantize_ternary, unpack_ternary, quantize_tq2_0},
    {MXFP4, dequantize_fp4, unpack_fp4, quantize_mxfp4},
    {NVFP4, dequantize_fp4, unpack_fp4, quantize_nvfp4},
    {Q1_0, dequantize_ternary, unpack_ternary, quantize_q1_0},
    {Q2_0, dequantize_ternary, unpack_ternary, quantize_q2_0},
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
    if (quant::all_finite(values.data(), values.size())) return values.size();
    return static_cast<std::size_t>(std::ranges::find_if_not(values, is_finite) - values.begin());
}

// The largest magnitude that a type holds, where its scales have no infinity that shows a larger one.
constexpr float largest_of(TensorType type) {
    if (type == TensorType::MXFP4) return quant::BlockMXFP4::largest;
    if (type == TensorType::NVFP4) return quant::BlockNVFP4::largest;
    return std::numeric_limits<float>::infinity();
}

// The index of the first value whose magnitude is above `largest`, or values.size().
std::size_t first_too_large(std::span<const float> values, float largest) {
    if (std::isinf(largest)) return values.size();
    const auto too_large = [=](float value) { return std::abs(value) > largest; };
    return static_cast<std::size_t>(std::ranges::find_if(values, too_large) - values.begin());
}

}  // namespace

std::string_view name(Effort effort) noexcept {
    switch (effort) {
        case Effort::fast: return "fast";
        case Effort::normal: return "default";
        case Effort::max: return "max";
    }
    return {};
}

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
    quant::choose_simd_target();
    quant::find_kernels(type)->dequantize(type, blocks.data(), blocks.size() / format.block_bytes, out.data());
    return {};
}

Result<void> quantize_rows(TensorType type, std::span<const float> values, std::size_t ne0, std::span<std::byte> out,
                           std::span<const float> importance, Effort effort) {
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
    quant::choose_simd_target();
    if (const std::size_t bad = first_not_finite(values); bad != values.size()) {
        return failure(Errc::bad_quant, format, fmt::format("value {} of its row is {}", bad % ne0, values[bad]), bad);
    }
    const float largest = largest_of(type);
    if (const std::size_t bad = first_too_large(values, largest); bad != values.size()) {
        return failure(Errc::bad_quant, format,
                       fmt::format("values too large: value {} of its row is {}; {} ends at {}", bad % ne0, values[bad],
                                   format.name, largest),
                       bad);
    }
    const auto* const weights = importance.empty() ? nullptr : importance.data();
    quant::find_kernels(type)->quantize({values.data(), ne0, rows, weights, effort}, out.data());
    if (const auto checked = check_blocks(type, out); !checked) {
        const std::size_t block = checked.error().offset.value_or(0) / format.block_bytes;
        return failure(Errc::bad_quant, format, "values too large: " + checked.error().detail,
                       block * format.block_elements);
    }
    return {};
}

}  // namespace ggufkit
