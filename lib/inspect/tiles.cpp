#include "inspect/tiles.hpp"

#include <algorithm>
#include <ggufkit/quantize.hpp>

#include "core/bytes.hpp"

namespace ggufkit::inspect {

Result<Tiles> Tiles::make(const Model& model, std::span<const ModelTensor> tensors) {
    Tiles tiles(model, tensors);
    for (const ModelTensor& tensor : tensors) {
        const auto data = model.data(tensor);
        if (!data) return fail(data.error());
        const FormatInfo& format = *tensor.info->format;
        const std::uint64_t elements = data->size() / format.block_bytes * format.block_elements;
        tiles.data_.push_back(*data);
        tiles.bytes_ += data->size();
        tiles.first_tile_.push_back(tiles.first_tile_.back() + (elements + tile_elements - 1) / tile_elements);
    }
    return tiles;
}

Tile Tiles::at(std::size_t index) const {
    const auto behind = std::ranges::upper_bound(first_tile_, index);
    const auto tensor = static_cast<std::size_t>(behind - first_tile_.begin()) - 1;
    return part(tensor, (index - first_tile_[tensor]) * tile_elements, tile_elements);
}

Tile Tiles::part(std::size_t tensor, std::uint64_t first, std::uint64_t elements) const {
    const FormatInfo& of = format(tensor);
    const std::size_t begin = first / of.block_elements * of.block_bytes;
    const std::size_t most = elements / of.block_elements * of.block_bytes;
    const auto bytes = data_[tensor].subspan(begin, std::min(most, data_[tensor].size() - begin));
    const ModelView& shard = model_->shard(tensors_[tensor].shard);
    return {.tensor = tensor,
            .first = first,
            .elements = bytes.size() / of.block_bytes * of.block_elements,
            .offset = static_cast<std::uint64_t>(bytes.data() - shard.file().data()),
            .bytes = bytes};
}

std::span<const std::byte> Tiles::native(const Tile& tile, std::vector<std::byte>& memory) const {
    const ModelTensor& tensor = tensors_[tile.tensor];
    // The kernel looks at every page that it is told of, so it is told once: of what lies behind.
    model_->advise(tensor.shard, tile.offset + tile.bytes.size(), tile.bytes.size(), Access::will_need);
    if (model_->shard(tensor.shard).byte_order() == native_order) return tile.bytes;
    memory.assign(tile.bytes.begin(), tile.bytes.end());
    swap_block_bytes(format(tile.tensor), memory);
    return memory;
}

}  // namespace ggufkit::inspect
