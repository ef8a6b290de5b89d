// The data of tensors in tiles that can be looked at one by one, by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <span>
#include <vector>

#include "tensor/reader.hpp"

namespace ggufkit::inspect {

// Elements of a tile: a whole number of blocks of any type.
inline constexpr std::uint64_t tile_elements = 1 << 18;

struct Tile {
    std::size_t tensor;  // index among those that are looked at
    tensor::Range range;
};

class Tiles {
  public:
    // Errors: as from Model::data(), of the first tensor that has any.
    static Result<Tiles> make(const Model& model, std::span<const ModelTensor> tensors);

    std::size_t count() const { return first_tile_.back(); }
    std::uint64_t bytes() const { return bytes_; }  // of all
    std::uint64_t bytes(const Tile& tile) const { return readers_[tile.tensor].bytes_of(tile.range.count); }
    std::size_t tensors() const { return readers_.size(); }
    const tensor::Reader& reader(std::size_t tensor) const { return readers_[tensor]; }
    const FormatInfo& format(std::size_t tensor) const { return readers_[tensor].format(); }

    Tile at(std::size_t index) const;
    // So many elements of a tensor from `first` on, or as many as there are; both whole blocks.
    Tile part(std::size_t tensor, std::uint64_t first, std::uint64_t elements) const;
    // Its blocks in native order. Tells the kernel that the tile after it will be wanted.
    Result<std::span<const std::byte>> blocks(const Tile& tile, tensor::Workspace& workspace) const;

  private:
    std::vector<tensor::Reader> readers_;
    std::vector<std::size_t> first_tile_{0};  // of each tensor, and behind the last
    std::uint64_t bytes_ = 0;
};

}  // namespace ggufkit::inspect
