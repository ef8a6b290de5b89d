#include "inspect/tiles.hpp"

#include <algorithm>
#include <utility>

#include "core/try.hpp"

namespace ggufkit::inspect {

Result<Tiles> Tiles::make(const Model& model, std::span<const ModelTensor> tensors) {
    Tiles tiles;
    for (const ModelTensor& tensor : tensors) {
        TRY_LET(auto reader, tensor::Reader::open(model, tensor));
        tiles.bytes_ += reader.bytes();
        tiles.first_tile_.push_back(tiles.first_tile_.back() + (reader.elements() + tile_elements - 1) / tile_elements);
        tiles.readers_.push_back(std::move(reader));
    }
    return tiles;
}

Tile Tiles::at(std::size_t index) const {
    const auto behind = std::ranges::upper_bound(first_tile_, index);
    const auto tensor = static_cast<std::size_t>(behind - first_tile_.begin()) - 1;
    return part(tensor, (index - first_tile_[tensor]) * tile_elements, tile_elements);
}

Tile Tiles::part(std::size_t tensor, std::uint64_t first, std::uint64_t elements) const {
    return {.tensor = tensor, .range = {first, std::min(elements, readers_[tensor].elements() - first)}};
}

Result<std::span<const std::byte>> Tiles::blocks(const Tile& tile, tensor::Workspace& workspace) const {
    // The kernel looks at every page that it is told of, so it is told once: of what lies behind.
    const auto behind = part(tile.tensor, tile.range.first + tile.range.count, tile.range.count);
    readers_[tile.tensor].advise(behind.range, Access::will_need);
    return readers_[tile.tensor].blocks(tile.range, workspace);
}

}  // namespace ggufkit::inspect
