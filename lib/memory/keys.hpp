// The metadata of an architecture: numbers that may be one for all layers or one for each.
#pragma once

#include <cstdint>
#include <ggufkit/model.hpp>
#include <optional>
#include <string>
#include <string_view>

namespace ggufkit::memory {

// More than any model has; llama.cpp refuses models with more than 512.
inline constexpr std::uint64_t max_layers = 4096;

class Keys {
  public:
    Keys(const ModelView& header, std::string_view architecture) : header_(header), architecture_(architecture) {}

    // Keys are named without the architecture: "block_count". Nothing where there is no such number; of an array, the
    // first element.
    std::optional<std::uint64_t> number(std::string_view key) const { return number(key, 0); }
    // Of a layer, where the key has an array; else what it has for all.
    std::optional<std::uint64_t> number(std::string_view key, std::uint64_t layer) const;
    std::string full_name(std::string_view key) const { return std::string(architecture_).append(".").append(key); }
    // The greatest of an array.
    std::uint64_t greatest(std::string_view key) const;
    bool is_array(std::string_view key) const;
    // The elements of an array; 0 for what is none.
    std::uint64_t elements(std::string_view key) const;

  private:
    const KeyValue* find(std::string_view key) const;

    const ModelView& header_;
    std::string architecture_;
};

}  // namespace ggufkit::memory
