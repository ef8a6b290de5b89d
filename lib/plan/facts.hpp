// What the rules of the recipes ask about a model, read from its metadata once.
#pragma once

#include <cstdint>
#include <string>

#include <ggufkit/model.hpp>
#include <ggufkit/writer.hpp>

namespace ggufkit::plan {

// Keys that are missing or make no sense count as zero: every model can be planned.
struct ModelFacts {
    std::string architecture;    // empty where unknown
    std::uint64_t layers = 0;    // block_count; where it is missing, the blocks that tensors name
    std::uint64_t heads = 0;     // of layer 0
    std::uint64_t kv_heads = 0;  // of layer 0
    std::uint64_t experts = 0;
    bool tied = false;  // no output.weight: the token embeddings are the output too

    // Query heads that share a key-value head; 0 where there are no such.
    std::uint64_t heads_per_kv_head() const { return kv_heads == 0 ? 0 : heads / kv_heads; }
    // What the reference takes for a 70B model: few key-value heads, so attn_v is small and gets more bits.
    bool is_70b() const;
};

// Of the tensors of a model, and metadata that may have been edited.
ModelFacts read_facts(const Model& model, const Header& metadata);

}  // namespace ggufkit::plan
