// The data of tensors in tiles that can be looked at one by one, by any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <span>
#include <vector>

namespace ggufkit::inspect {

// Elements of a tile: a whole number of blocks of any type.
inline constexpr std::uint64_t tile_elements = 1 << 18;

struct Tile {
    std::size_t tensor;   // index among those that are looked at
    std::uint64_t first;  // element
    std::size_t elements;
    std::uint64_t offset;              // of its bytes in the file
    std::span<const std::byte> bytes;  // in the file's byte order
};

class Tiles {
  public:
    // Errors: those of Model::data(), of the first tensor that has any.
    static Result<Tiles> make(const Model& model, std::span<const ModelTensor> tensors);

    std::size_t count() const { return first_tile_.back(); }
    std::uint64_t bytes() const { return bytes_; }  // of all
    std::span<const ModelTensor> tensors() const { return tensors_; }
    const FormatInfo& format(std::size_t tensor) const { return *tensors_[tensor].info->format; }

    Tile at(std::size_t index) const;
    // So many elements of a tensor from `first` on, or as many as there are; both whole blocks.
    Tile part(std::size_t tensor, std::uint64_t first, std::uint64_t elements) const;
    // Its bytes in native order: those of the mapping where they are so, else a copy in `memory`. Tells the kernel that
    // they are wanted now.
    std::span<const std::byte> native(const Tile& tile, std::vector<std::byte>& memory) const;

  private:
    Tiles(const Model& model, std::span<const ModelTensor> tensors) : model_(&model), tensors_(tensors) {}

    const Model* model_;
    std::span<const ModelTensor> tensors_;
    std::vector<std::span<const std::byte>> data_;
    std::vector<std::size_t> first_tile_{0};  // of each tensor, and behind the last
    std::uint64_t bytes_ = 0;
};

}  // namespace ggufkit::inspect
