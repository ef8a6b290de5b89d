// Types that are not quantized: a block is one number.
#pragma once

#include "format/packed.hpp"

namespace ggufkit::format {

template <class Number>
struct BlockOf {
    static constexpr std::uint32_t elements = 1;
    Number value;
};

using BlockF32 = BlockOf<Single>;
using BlockF16 = BlockOf<Half>;
using BlockBF16 = BlockOf<Bfloat>;
using BlockF64 = BlockOf<Double>;
using BlockI8 = BlockOf<Little<std::int8_t>>;
using BlockI16 = BlockOf<Little<std::int16_t>>;
using BlockI32 = BlockOf<Little<std::int32_t>>;
using BlockI64 = BlockOf<Little<std::int64_t>>;

static_assert(PackedBlock<BlockF32, 4> && PackedBlock<BlockF16, 2> && PackedBlock<BlockBF16, 2>);
static_assert(PackedBlock<BlockF64, 8> && PackedBlock<BlockI8, 1> && PackedBlock<BlockI16, 2>);
static_assert(PackedBlock<BlockI32, 4> && PackedBlock<BlockI64, 8>);

}  // namespace ggufkit::format
