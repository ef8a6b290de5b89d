#include "plan/row_reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/quantize.hpp>

#include "io/read_at.hpp"

namespace ggufkit::plan {

std::vector<std::uint64_t> spread(std::uint64_t wanted, std::uint64_t rows) {
    std::vector<std::uint64_t> middles;
    if (rows == 0) return middles;
    const std::uint64_t parts = std::clamp<std::uint64_t>(wanted, 1, rows);
    middles.reserve(parts);
    for (std::uint64_t i = 0; i < parts; ++i) {
        middles.push_back(rows / parts * i + rows % parts * i / parts + rows / parts / 2);
    }
    return middles;
}

Result<std::span<const float>> RowReader::read(std::uint64_t row, std::uint64_t first, std::uint64_t count) {
    const TensorInfo& info = *tensor_.info;
    const FormatInfo& format = *info.format;
    const ModelView& shard = model_.shard(tensor_.shard);
    const auto data = model_.data(tensor_);
    if (!data) return fail(data.error());
    // The tensor's size was checked when the model was opened, so none of these can overflow.
    const auto bytes_of = [&](std::uint64_t columns) { return columns / format.block_elements * format.block_bytes; };
    const std::uint64_t at =
        static_cast<std::uint64_t>(data->data() - shard.file().data()) + row * bytes_of(info.ne[0]) + bytes_of(first);
    const auto in_row = [&](Error error) {
        error.subject = fmt::format("tensor '{}'", info.name);
        if (error.code == Errc::bad_quant) {
            error.offset = at + error.offset.value_or(0);
            error.detail = fmt::format("row {}: {}", row, error.detail);
        }
        return fail(std::move(error));
    };
    blocks_.resize(bytes_of(count));
    values_.resize(count);
    if (auto read = io::read_at(model_.shard_fd(tensor_.shard), at, blocks_); !read) return in_row(read.error());
    if (shard.byte_order() == ByteOrder::big) swap_block_bytes(format, blocks_);
    if (auto checked = check_blocks(format.type(), blocks_); !checked) return in_row(checked.error());
    if (auto decoded = dequantize_rows(format.type(), blocks_, values_); !decoded) return in_row(decoded.error());
    return std::span<const float>(values_);
}

}  // namespace ggufkit::plan
