// Tensors added up: how many, of how many weights, in how many bytes.
#pragma once

#include <cstdint>
#include <ggufkit/model.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace ggufkit::tool::info {

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

// "1", "2", … for `blk.1.`, `blk.2.`, and "enc.1" for `enc.blk.1.`, in order of number; what is in no layer under its own
// first name, before them.
Histogram count_layers(const Model& model);

// Of a mixture of experts: how many a layer has, and how many of them work on each token. `count` is not 0, `used` no
// more than it.
struct Experts {
    std::uint64_t count;
    std::uint64_t used;
};
std::optional<Experts> experts_of(const ModelView& view);

// The weights that work on a token: all of them but for the experts that do not. None where there are no experts.
std::optional<std::uint64_t> active_parameters(const Model& model);

// `share` of a bar of `cells` blocks.
std::string bar(double share, int cells);

}  // namespace ggufkit::tool::info
