#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/inspect/peek.hpp>

#include "core/try.hpp"
#include "tensor/reader.hpp"

namespace ggufkit {

Result<Peek> peek_weights(const Model& model, const ModelTensor& tensor, std::uint64_t row, std::uint64_t column,
                          std::uint64_t count) {
    TRY_LET(const auto reader, tensor::Reader::open(model, tensor));
    const TensorInfo& info = *tensor.info;
    const FormatInfo& format = *info.format;
    const auto refuse = [&](std::string detail) {
        return fail({.code = Errc::out_of_range,
                     .subject = fmt::format("tensor '{}'", info.name),
                     .detail = std::move(detail)});
    };
    const std::uint64_t ne0 = info.ne[0];
    const std::uint64_t rows = ne0 == 0 ? 0 : reader.elements() / ne0;
    if (row >= rows) return refuse(fmt::format("there is no row {}: it has {}", row, rows));
    if (column >= ne0 || count > ne0 - column) {
        return refuse(fmt::format("a row has {} columns, so there are no {} from column {} on", ne0, count, column));
    }
    if (count > most_peeked)
        return refuse(fmt::format("{} weights at a time are too many: at most {}", count, most_peeked));
    if (count == 0) return Peek{row, column, {}, {}};

    // Of a type without blocks everything at once, as one.
    const std::uint64_t each_block = format.block_elements;
    const std::uint64_t first = column / each_block * each_block;
    const std::uint64_t last = (column + count + each_block - 1) / each_block * each_block;
    const tensor::Range range{row * ne0 + first, last - first};
    tensor::Workspace workspace;
    TRY_LET(const auto blocks, reader.blocks(range, workspace));
    TRY_LET(const auto values, reader.decode(range, blocks, workspace));
    const auto wanted = values.subspan(column - first, count);
    const auto place = reader.in_file(range);

    Peek found{.row = row, .column = column, .values = {wanted.begin(), wanted.end()}, .blocks = {}};
    const std::size_t each = format.quantized() ? format.block_bytes : blocks.size();
    for (std::size_t at = 0; at < blocks.size(); at += each) {
        const auto block = blocks.subspan(at, each);
        TRY_LET(auto parts, explain_block(format.type(), block));
        found.blocks.push_back({.column = first + at / format.block_bytes * each_block,
                                .offset = place ? place->offset + at : 0,
                                .bytes = {block.begin(), block.end()},
                                .parts = std::move(parts)});
    }
    return found;
}

}  // namespace ggufkit
