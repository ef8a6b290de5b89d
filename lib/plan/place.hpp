// The layer and the part of a tensor, as its name gives them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ggufkit::plan {

// The number in "blk.7.…" or "….blk.7.…".
struct BlockNumber {
    std::size_t begin, end;  // of its digits in the name
    std::uint64_t value;
};
std::optional<BlockNumber> find_block(std::string_view tensor) noexcept;

// "blk.3.attn_q.weight" is attn_q of layer 3; "output.weight" is output, of no layer; "v.blk.0.ffn_up.weight" is
// v.ffn_up of layer 0.
struct TensorPlace {
    std::optional<std::uint64_t> layer;
    std::string part;
};
TensorPlace place_of(std::string_view tensor);

}  // namespace ggufkit::plan
