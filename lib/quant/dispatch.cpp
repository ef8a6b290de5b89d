#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <ggufkit/quant/quantize.hpp>
#include <optional>
#include <string>

#include "core/try.hpp"
#include "quant/kernels.hpp"
#include "quant/measure/finite.hpp"
#include "quant/simd/target.hpp"

namespace ggufkit {
namespace quant {

const Kernels* find_kernels(TensorType type) noexcept {
    choose_simd_target();
    for (auto* const family :
         {plain_kernels, legacy_kernels, k_kernels, iq_kernels, iq4_kernels, ternary_kernels, fp4_kernels}) {
        const std::span<const Kernels> table = family();
        const auto found = std::ranges::find(table, type, &Kernels::type);
        if (found != table.end()) return &*found;
    }
    return nullptr;
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
    return kernels != nullptr && kernels->encode != nullptr;
}

Result<void> dequantize_rows(TensorType type, std::span<const std::byte> blocks, std::span<float> out) {
    const FormatInfo& format = format_of(type);
    const quant::Kernels* const kernels = quant::find_kernels(type);
    if (kernels == nullptr) return failure(Errc::unsupported, format, "its layout is not known");
    TRY_LET(const auto bytes, row_bytes(format, out.size()));
    if (bytes != blocks.size()) {
        return failure(Errc::bad_row, format,
                       fmt::format("{} elements take {} bytes, not {}", out.size(), bytes, blocks.size()));
    }
    kernels->decode(blocks.data(), blocks.size() / format.block_bytes, out.data());
    return {};
}

Result<void> quantize_rows(TensorType type, std::span<const float> values, std::size_t ne0, std::span<std::byte> out,
                           std::span<const float> importance, Effort effort) {
    const FormatInfo& format = format_of(type);
    const quant::Kernels* const kernels = quant::find_kernels(type);
    if (kernels == nullptr || kernels->encode == nullptr) {
        return failure(Errc::unsupported, format, "there is no quantizer for this type");
    }
    TRY_LET(const auto bytes, row_bytes(format, ne0));
    const std::size_t rows = ne0 == 0 ? 0 : values.size() / ne0;
    if (rows * ne0 != values.size() || rows * bytes != out.size()) {
        return failure(Errc::bad_row, format,
                       fmt::format("{} values in rows of {} do not make {} bytes", values.size(), ne0, out.size()));
    }
    if (!importance.empty() && importance.size() != ne0) {
        return failure(Errc::bad_row, format, fmt::format("{} weights for rows of {}", importance.size(), ne0));
    }
    if (!std::ranges::all_of(importance, [](float weight) { return is_finite(weight) && weight >= 0.0f; })) {
        return failure(Errc::bad_argument, format, "a weight of the importance matrix is negative, NaN or infinite");
    }
    if (const std::size_t bad = first_not_finite(values); bad != values.size()) {
        return failure(Errc::bad_quant, format, fmt::format("value {} of its row is {}", bad % ne0, values[bad]), bad);
    }
    if (const std::size_t bad = first_too_large(values, kernels->largest); bad != values.size()) {
        return failure(Errc::bad_quant, format,
                       fmt::format("values too large: value {} of its row is {}; {} ends at {}", bad % ne0, values[bad],
                                   format.name, kernels->largest),
                       bad);
    }
    const auto* const weights = importance.empty() ? nullptr : importance.data();
    kernels->encode({values.data(), ne0, rows, weights, effort}, out.data());
    if (const auto checked = check_blocks(type, out); !checked) {
        const std::size_t block = checked.error().offset.value_or(0) / format.block_bytes;
        return failure(Errc::bad_quant, format, "values too large: " + checked.error().detail,
                       block * format.block_elements);
    }
    return {};
}

}  // namespace ggufkit
