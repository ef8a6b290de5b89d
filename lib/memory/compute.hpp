// The activations of one batch: what llama.cpp reserves as "compute buffer".
#pragma once

#include <cstdint>
#include <ggufkit/error.hpp>

#include "memory/shape.hpp"

namespace ggufkit::memory {

struct Batch {
    std::uint64_t cells;          // of the cache of layers that see everything
    std::uint64_t sliding_cells;  // and of those that see a window
    std::uint64_t ubatch;         // tokens
    bool flash_attention;
};

struct ComputeBuffer {
    std::uint64_t bytes;
    std::uint64_t inputs;  // the part of it that is token embeddings and attention masks
};

Result<ComputeBuffer> compute_buffer(const ModelShape& shape, const Batch& batch);

}  // namespace ggufkit::memory
