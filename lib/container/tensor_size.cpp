#include "container/tensor_size.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/checked.hpp"
#include "core/try.hpp"

namespace ggufkit::container {
namespace {

tl::unexpected<Breach> broken(R which, std::string detail) {
    return tl::unexpected<Breach>({which, std::move(detail)});
}

R rule_of(Errc code) {
    switch (code) {
        case Errc::bad_tensor_type: return R::type_known;
        case Errc::bad_row: return R::whole_row;
        default: return R::byte_count;
    }
}

}  // namespace

tl::expected<std::uint64_t, Breach> element_count(std::span<const std::uint64_t> shape) {
    std::uint64_t product = 1;
    for (const std::uint64_t extent : shape) {
        const auto next = checked_mul(product, extent);
        if (!next || *next >= size_limit) {
            return broken(R::element_count,
                          fmt::format("{} elements; GGUF allows fewer than 2^63", fmt::join(shape, " x ")));
        }
        product = *next;
    }
    return product;
}

tl::expected<std::uint64_t, Breach> byte_count(std::uint32_t type_id, const FormatInfo* format,
                                               std::span<const std::uint64_t> shape) {
    if (format == nullptr) return broken(R::type_known, fmt::format("type {} is unknown", type_id));
    TRY(element_count(shape));
    auto size = tensor_bytes(*format, shape);
    if (!size) {
        return broken(rule_of(size.error().code), fmt::format("type {}: {}", format->name, size.error().detail));
    }
    if (*size >= size_limit) return broken(R::byte_count, fmt::format("{} bytes; GGUF allows fewer than 2^63", *size));
    return *size;
}

tl::expected<Extent, Breach> extent_of(const ModelView& view, const TensorInfo& tensor) {
    return byte_count(tensor.type_id, tensor.format, tensor.shape())
        .and_then([&](std::uint64_t size) -> tl::expected<Extent, Breach> {
            const auto begin = checked_add(view.data_offset(), tensor.offset);
            const auto end = begin ? checked_add(*begin, size) : std::nullopt;
            if (end) return Extent{*begin, *end};
            return broken(R::offset_sum,
                          fmt::format("data at {} + offset {} + {} bytes", view.data_offset(), tensor.offset, size));
        });
}

std::string too_many_dims(std::uint32_t n_dims) {
    return fmt::format("has {} dimensions; GGUF allows at most {}", n_dims, max_dims);
}

std::string past_end(Extent extent, std::uint64_t file_bytes) {
    return fmt::format("its bytes {} to {} are not all in a file of {}", extent.begin, extent.end, file_bytes);
}

}  // namespace ggufkit::container
