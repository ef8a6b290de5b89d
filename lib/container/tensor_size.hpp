// The size of a tensor by the rules: what TensorInfo, validation and the writer ask.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include <ggufkit/format.hpp>
#include <ggufkit/model.hpp>

#include "container/rules.hpp"

namespace ggufkit::container {

// A rule that was broken, before anyone knows by what and where.
struct Breach {
    R which;
    std::string detail;
};

inline constexpr std::uint64_t size_limit = std::uint64_t{1} << 63;

tl::expected<std::uint64_t, Breach> element_count(std::span<const std::uint64_t> shape);

// `format` may be null or without a layout, and then is the fault.
tl::expected<std::uint64_t, Breach> byte_count(std::uint32_t type_id, const FormatInfo* format,
                                               std::span<const std::uint64_t> shape);

// Where a tensor lies in the file: [begin, end), padding not counted.
struct Extent {
    std::uint64_t begin;
    std::uint64_t end;
};
tl::expected<Extent, Breach> extent_of(const ModelView& view, const TensorInfo& tensor);

// What to say of a tensor with more than max_dims dimensions.
std::string too_many_dims(std::uint32_t n_dims);

// What to say where the extent is not inside a file of that size.
std::string past_end(Extent extent, std::uint64_t file_bytes);

}  // namespace ggufkit::container
