// What the metadata of a model does not say of its memory, because llama.cpp knows it by the architecture's name.
#pragma once

#include <cstdint>
#include <string_view>

namespace ggufkit::memory {

// Which layers attend, and which keep a state of fixed size.
enum class Layers : std::uint8_t {
    attend,             // all do
    recur,              // none does: all have state
    both,               // each does both
    recur_without_kv,   // those without key-value heads have state
    recur_without_any,  // those without key-value heads and without a feed-forward network have state
    recur_but_every,    // attention.recurrent_layers says which have state; without it all but every
                        // full_attention_interval-th
    remember_nothing,   // no cache at all: encoders, diffusion models
    unknown,            // the metadata and the tensors of the file tell
};

struct Architecture {
    std::string_view name;
    Layers layers = Layers::attend;
    // Sliding windows: of each `period` layers one sees everything, the last or the first. 0: no layer slides, unless the
    // architecture reads a pattern from the metadata. 1: all slide.
    std::uint32_t period = 0;
    bool full_first = false;
    bool pattern_in_file = false;   // attention.sliding_window_pattern goes before `period`
    std::uint64_t window = 0;       // where attention.sliding_window is absent; 0: then none slides
    bool window_fixed = false;      // attention.sliding_window is not looked at
    std::uint64_t only_layers = 0;  // windows only in models of so many layers; 0: in all
    std::uint64_t kv_layers = 0;    // only the first so many have a cache of their own; 0: all
    bool head = true;               // a language head: probabilities of all tokens come out, not an embedding
    bool gate = true;               // in the feed-forward network, where there are no tensors to tell
    bool position_bias = false;     // added to the attention, which rules out flash attention
};

// Null for a name that is not known.
const Architecture* find_architecture(std::string_view name) noexcept;

}  // namespace ggufkit::memory
