// Which parts of two files belong together.
#pragma once

#include <cstdint>
#include <ggufkit/model.hpp>
#include <vector>

namespace ggufkit::patch {

struct Range {
    std::uint64_t begin = 0;
    std::uint64_t end = 0;
    std::uint64_t size() const { return end - begin; }
};

// A part of the new file, and the part of the old one that it is most like; an empty range where it is like none.
struct Region {
    Range now;
    Range old;
};

// The new file from its first byte to its last: the head of the header, a key with its value, the tensor infos, a tensor with
// the padding behind it. Parts belong together by name; a tensor whose name the old file has not belongs to one of the same
// bytes, where there is one.
std::vector<Region> regions_of(const Model& old_model, const Model& new_model);

}  // namespace ggufkit::patch
