// Single numbers and blocks of a tensor, with all that they are made of spelled out.
//
// Purpose: what a few weights are, and why: scales, minima, codes, points of a codebook, signs.
//
//     const ggufkit::ModelTensor* tensor = model->find_tensor("blk.0.attn_k.weight");
//     const auto peek = ggufkit::peek_weights(*model, *tensor, 0, 0, 32);  // of row 0, columns 0 to 31
//     if (!peek) return complain(peek.error());
//     for (const auto& part : peek->blocks.front().parts) fmt::print("{}\n", part.name);  // d, scale, code, …
//
// Ownership: plain values; names and formulas are static.
// Thread-safety: pure functions.
// Source: spec/quant-formats.md says what the parts mean; spec/json.md lists those of every type.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/format.hpp>
#include <ggufkit/model.hpp>

namespace ggufkit {

// Numbers of one kind in a block, in the order of the weights that they are for: one of the lists is empty.
struct BlockPart {
    std::string_view name;  // "d", "scale", "code", "grid", "signs", …
    std::vector<double> reals{};
    std::vector<std::int64_t> integers{};
};

// How a type's weights follow from the parts: "x = d * scale * code - dmin * min".
std::string_view block_formula(TensorType type) noexcept;

// The parts of one block (of a type without blocks: of any number of weights) in native byte order. Errors:
// UNSUPPORTED, BAD_ROW where `block` is not one.
Result<std::vector<BlockPart>> explain_block(TensorType type, std::span<const std::byte> block);

struct PeekedBlock {
    std::uint64_t column;          // of its first weight
    std::uint64_t offset;          // in the file
    std::vector<std::byte> bytes;  // in native byte order
    std::vector<BlockPart> parts;
};

struct Peek {
    std::uint64_t row;
    std::uint64_t column;
    std::vector<float> values;        // as dequantize_rows() makes them
    std::vector<PeekedBlock> blocks;  // that they are in; of a type without blocks a single one
};

inline constexpr std::uint64_t most_peeked = 65'536;

// `count` weights of a row (of all rows of the tensor) from `column` on. Errors: as from Model::data(); OUT_OF_RANGE
// where there are not so many, or more than most_peeked are asked for.
Result<Peek> peek_weights(const Model& model, const ModelTensor& tensor, std::uint64_t row, std::uint64_t column,
                          std::uint64_t count);

}  // namespace ggufkit
