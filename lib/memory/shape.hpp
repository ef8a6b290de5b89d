// What of a model's shape decides how much memory it takes to run, read from its metadata.
#pragma once

#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <string>
#include <vector>

namespace ggufkit::memory {

struct LayerShape {
    std::uint64_t kv_heads = 0;  // 0: no cache of its own
    std::uint64_t key_length = 0;
    std::uint64_t value_length = 0;  // 0: values are read out of the keys (latent attention)
    bool sliding = false;
    std::uint64_t state = 0;  // numbers of recurrent state, four bytes each
};

struct ModelShape {
    std::vector<LayerShape> layers;
    std::uint64_t context = 0;  // of training
    std::uint64_t window = 0;   // of the layers that slide
    std::uint64_t embedding = 0;
    std::uint64_t per_layer_embedding = 0;  // of tokens, for each layer
    std::uint64_t feed_forward = 0;         // the widest
    std::uint64_t expert_forward = 0;       // of one expert; 0: there are none
    std::uint64_t experts_used = 0;
    std::uint64_t heads = 0;         // the most of any layer
    std::uint64_t query_width = 0;   // of all heads of a layer, the widest
    std::uint64_t latent_width = 0;  // of latent attention: all that is computed of its heads at once
    std::uint64_t inner = 0;         // of state-space layers
    std::uint64_t group_state = 0;   // their groups times the size of their state
    bool wkv = false;                // RWKV layers
    std::uint64_t vocabulary = 0;
    bool encoder = false;        // keeps no cache whatever the context
    bool head = true;            // probabilities of all tokens come out
    bool gate = true;            // in the feed-forward network
    bool position_bias = false;  // no flash attention
};

// What the file does not say is added to `assumptions`.
Result<ModelShape> read_shape(const Model& model, std::vector<std::string>& assumptions);

}  // namespace ggufkit::memory
