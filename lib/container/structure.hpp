// Structure: what check_structure() does, for files that are there and files that are still to be written.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include <ggufkit/model.hpp>

#include "container/findings.hpp"
#include "container/tensor_size.hpp"

namespace ggufkit::container {

// `file_bytes` is the size of the whole file, of which `view` may have been given the header only.
void check_structure(const ModelView& view, std::uint64_t file_bytes, Findings& findings);
std::optional<CutShort> cut_short(const ModelView& view, std::uint64_t file_bytes);

// A tensor that has bytes, and where.
struct Placed {
    const TensorInfo* tensor;
    Extent extent;
};

// Where the data lies.
struct Placement {
    std::vector<Placed> tensors;  // in order of position; those without bytes are left out
    bool complete = true;         // false where some tensor's place is not known
};
Placement placement_of(const ModelView& view);

// Where another GGUF header begins behind the data: of files that were joined end to end.
std::optional<std::uint64_t> next_header(const ModelView& view);

}  // namespace ggufkit::container
