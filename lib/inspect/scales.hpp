// The floating-point scales of blocks as numbers.
#pragma once

#include <cstddef>
#include <ggufkit/format.hpp>
#include <span>
#include <vector>

namespace ggufkit::inspect {

// Whether a field of blocks is a scale: a floating-point number that codes are multiplied by or added to.
bool is_scale(const FormatInfo& format, const Field& field);

// How many numbers a scale field has in a block.
std::size_t scale_count(const Field& field);

// The field's numbers of all `blocks`, one block after another. A scale that stands for NaN is NaN, though decoders may
// read it otherwise (UE4M3).
void read_scales(const FormatInfo& format, const Field& field, std::span<const std::byte> blocks,
                 std::vector<float>& scales);

// The smallest normal number of the field's type.
float smallest_normal(Number number);

}  // namespace ggufkit::inspect
