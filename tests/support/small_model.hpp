// A small model with data: metadata and tensors, and the files that can hold them. Two other builders are for what this
// one cannot be: bytes.hpp for files that lie about what is in them, header_model.hpp for models too large to have data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <ggufkit/writer.hpp>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ggufkit::test {

using Types = std::map<std::string, TensorType>;

struct SmallModel {
    struct Tensor {
        std::string name;
        TensorType type;
        std::vector<std::uint64_t> ne;
        std::vector<std::byte> bytes;  // little-endian
    };
    // How a file holds the model.
    struct Container {
        ByteOrder order = ByteOrder::little;
        std::uint32_t alignment = default_alignment;
        bool backwards = false;  // tensors, and keys
    };

    std::vector<std::pair<std::string, Value>> metadata;
    std::vector<Tensor> tensors;
    Container container;

    SmallModel& set(std::string_view key, Value value);
    SmallModel& set(std::string_view key, std::string_view text);
    SmallModel& set(std::string_view key, const char* text);
    SmallModel& set(std::string_view key, std::uint32_t number);
    void unset(std::string_view key);

    // A tensor of bytes that differ from tensor to tensor (by `seed`) and are finite in every type: numbers up to 0x3f
    // in each byte. `ne` as in GGUF, the row length first.
    SmallModel& tensor(std::string_view name, TensorType type, std::vector<std::uint64_t> ne, std::uint32_t seed = 0);

    // A tensor of weights about as large as a model's, quantized; random blocks in types that cannot be made.
    SmallModel& weights(std::string_view name, TensorType type, std::vector<std::uint64_t> ne);

    Tensor& at(std::string_view name);
    void remove(std::string_view name);

    Header header() const { return header(container); }
    Header header(const Container& in) const;
    std::vector<std::byte> bytes() const { return bytes(container); }
    std::vector<std::byte> bytes(const Container& in) const;
    std::filesystem::path save(const std::filesystem::path& path) const { return save(path, container); }
    std::filesystem::path save(const std::filesystem::path& path, const Container& in) const;

    // `count` files "STEM-00001-of-0000N.gguf" with a tensor in turn; the path of the first.
    std::filesystem::path save_split(const std::filesystem::path& stem, std::uint16_t count) const;

    // The model with tensors in other types: the specification that execute() is compared with, whole tensors in one
    // call each. `importance` has the weights of each matrix of a tensor, one matrix after the other.
    SmallModel requantized(const Types& types, const std::map<std::string, std::vector<float>>& importance = {}) const;
};

// A llama with no keys but its architecture, and no tensors.
SmallModel bare_llama(ByteOrder order = ByteOrder::little, std::uint32_t alignment = default_alignment);

// A model of the llama family with two layers: every key that a summary shows, and four tensor types.
SmallModel small_llama();

// Every kind of tensor that a requantization meets: conversions and copies of one and of many pieces, of matrices,
// stacks of matrices, vectors, scalars and nothing.
SmallModel mixed_model(ByteOrder order, std::uint32_t alignment);
extern const Types mixed_types;

}  // namespace ggufkit::test
