// Where a tensor stands in its model, as its name says.
//
// Purpose: reports group tensors by layer and by the part they play in one.
// Ownership: plain values.
// Thread-safety: as that of any value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace ggufkit {

// "blk.3.attn_q.weight" is attn_q of layer 3; "output.weight" is output, of no layer; "v.blk.0.ffn_up.weight" is
// v.ffn_up of layer 0.
struct TensorPlace {
    std::optional<std::uint64_t> layer;
    std::string part;
};
TensorPlace place_of(std::string_view tensor);

}  // namespace ggufkit
