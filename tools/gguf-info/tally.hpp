// Tensors added up: how many, of how many weights, in how many bytes.
#pragma once

#include <cstdint>
#include <ggufkit/model.hpp>
#include <string>
#include <utility>
#include <vector>

namespace ggufkit::info {

// Sums stay at the top rather than wrap: sizes of a hostile file may be anything.
struct Tally {
    std::uint64_t tensors = 0;
    std::uint64_t elements = 0;
    std::uint64_t bytes = 0;
    std::uint64_t sized = 0;  // elements of the tensors whose bytes are known

    void add(const TensorInfo& tensor);
    void add(const Tally& other);
    // Bits a weight; 0 where nothing has a known size.
    double bpw() const { return sized == 0 ? 0 : 8.0 * static_cast<double>(bytes) / static_cast<double>(sized); }
};

using Histogram = std::vector<std::pair<std::string, Tally>>;

// By type, the one with the most bytes first.
Histogram count_types(const Model& model);

// "1", "2", … for `blk.1.`, `blk.2.`, in order of number; what is in no layer under its own first name, before them.
Histogram count_layers(const Model& model);

// `share` of a bar of `cells` blocks.
std::string bar(double share, int cells);

}  // namespace ggufkit::info
