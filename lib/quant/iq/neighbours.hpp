// The points of a codebook near a place, without looking at all of them.
//
// A place is a cell: of each coordinate the level that is nearest. For every cell the nearest points are listed, the
// nearest first, by plain distance from the cell's middle; the nearest by another measure is most likely among them.
//
// A table is made when it is first needed, which takes some ten milliseconds, and stays; any thread may ask.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "quant/iq/codebooks.hpp"

namespace ggufkit::quant {

class Neighbours {
  public:
    static constexpr int listed = 16;  // points of a cell

    explicit Neighbours(const PackedGrid& grid);

    // For each cell listed / 2 integers: words of two points, the nearer one in the low half. The number of a cell is the
    // sum of (level of coordinate i) times (number of levels)^i.
    const std::int32_t* lists() const { return lists_.data(); }

    // The index of the point that has this word.
    std::uint16_t index_of(std::uint32_t word) const { return index_[word]; }

  private:
    std::vector<std::int32_t> lists_;
    std::vector<std::uint16_t> index_;
};

template <GridId id>
const Neighbours& neighbours_of() {
    static const Neighbours table(packed_grids()[static_cast<std::size_t>(id)]);
    return table;
}

}  // namespace ggufkit::quant
