#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/peek.hpp>
#include <ggufkit/quantize.hpp>

namespace ggufkit {

Result<Peek> peek(const Model& model, const ModelTensor& tensor, std::uint64_t row, std::uint64_t column,
                  std::uint64_t count) {
    const auto data = model.data(tensor);
    if (!data) return fail(data.error());
    const TensorInfo& info = *tensor.info;
    const FormatInfo& format = *info.format;
    const auto refuse = [&](std::string detail) {
        return fail({.code = Errc::out_of_range,
                     .subject = fmt::format("tensor '{}'", info.name),
                     .detail = std::move(detail)});
    };
    const std::uint64_t ne0 = info.ne[0];
    const std::uint64_t row_bytes = ne0 / format.block_elements * format.block_bytes;
    const std::uint64_t rows = row_bytes == 0 ? 0 : data->size() / row_bytes;
    if (row >= rows) return refuse(fmt::format("there is no row {}: it has {}", row, rows));
    if (column >= ne0 || count > ne0 - column) {
        return refuse(fmt::format("a row has {} columns, so there are no {} from column {} on", ne0, count, column));
    }
    if (count > most_peeked)
        return refuse(fmt::format("{} weights at a time are too many: at most {}", count, most_peeked));
    if (count == 0) return Peek{row, column, {}, {}};

    // Of a type without blocks everything at once, as one.
    const std::uint64_t first = column / format.block_elements, last = (column + count - 1) / format.block_elements;
    const std::size_t begin = row * row_bytes + first * format.block_bytes;
    const auto bytes = data->subspan(begin, (last - first + 1) * format.block_bytes);
    std::vector<std::byte> native(bytes.begin(), bytes.end());
    const ModelView& shard = model.shard(tensor.shard);
    if (shard.byte_order() == ByteOrder::big) swap_block_bytes(format, native);
    std::vector<float> values((last - first + 1) * format.block_elements);
    if (auto done = dequantize_rows(format.type(), native, values); !done) return fail(std::move(done).error());
    const auto from = values.begin() + static_cast<std::ptrdiff_t>(column - first * format.block_elements);

    Peek found{.row = row, .column = column, .values = {from, from + static_cast<std::ptrdiff_t>(count)}, .blocks = {}};
    const std::size_t each = format.quantized() ? format.block_bytes : native.size();
    for (std::size_t at = 0; at < native.size(); at += each) {
        const auto block = std::span<const std::byte>(native).subspan(at, each);
        auto parts = explain_block(format.type(), block);
        if (!parts) return fail(std::move(parts).error());
        found.blocks.push_back({.column = (first + at / format.block_bytes) * format.block_elements,
                                .offset = static_cast<std::uint64_t>(bytes.data() - shard.file().data()) + at,
                                .bytes = {block.begin(), block.end()},
                                .parts = std::move(*parts)});
    }
    return found;
}

}  // namespace ggufkit
