// Types that are not quantized: a block is one number.
#pragma once

#include "format/packed.hpp"

namespace ggufkit::format {

template <TensorType id, class Number>
struct BlockOf {
    static constexpr auto type = id;
    static constexpr std::uint32_t elements = 1;
    Number value;
};

using BlockF32 = BlockOf<TensorType::F32, Single>;
using BlockF16 = BlockOf<TensorType::F16, Half>;
using BlockBF16 = BlockOf<TensorType::BF16, Bfloat>;
using BlockF64 = BlockOf<TensorType::F64, Double>;
using BlockI8 = BlockOf<TensorType::I8, Little<std::int8_t>>;
using BlockI16 = BlockOf<TensorType::I16, Little<std::int16_t>>;
using BlockI32 = BlockOf<TensorType::I32, Little<std::int32_t>>;
using BlockI64 = BlockOf<TensorType::I64, Little<std::int64_t>>;

static_assert(PackedBlock<BlockF32, 4> && PackedBlock<BlockF16, 2> && PackedBlock<BlockBF16, 2>);
static_assert(PackedBlock<BlockF64, 8> && PackedBlock<BlockI8, 1> && PackedBlock<BlockI16, 2>);
static_assert(PackedBlock<BlockI32, 4> && PackedBlock<BlockI64, 8>);

}  // namespace ggufkit::format
