// Which metadata keys llama.cpp reads, and the one type that it takes for each: it converts nothing.
#pragma once

#include <cstdint>
#include <ggufkit/value.hpp>
#include <span>
#include <string_view>

#include "container/findings.hpp"

namespace ggufkit::container {

// Where a value may be an array.
enum class Arrays : std::uint8_t {
    none,      // a single value
    or_array,  // a single value for all layers or an array: of the same type, or of any that llama.cpp reads as it
    only,      // an array
};

struct LlamaKey {
    std::string_view key;  // one that begins with a dot belongs to the architecture
    ValueType type;        // of the value, or of each element
    Arrays arrays = Arrays::none;
    std::string_view architectures{};  // that read it, parted by spaces; empty: all

    bool is_read_by(std::string_view architecture) const;
    bool accepts(const ValueView& value) const;
};

// Sorted by key.
std::span<const LlamaKey> llama_keys() noexcept;

// The row of a key in a model of this architecture, or null.
const LlamaKey* find_llama_key(std::string_view key, std::string_view architecture) noexcept;

void check_llama_keys(const ModelView& view, Findings& findings);

}  // namespace ggufkit::container
