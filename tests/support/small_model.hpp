// A small model by content, and the files that can hold it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <ggufkit/quantize.hpp>
#include <ggufkit/writer.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ggufkit::test {

inline void write_bytes(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    std::ofstream file(path, std::ios::binary);
    file.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    if (!file.flush()) throw std::runtime_error("cannot write " + path.string());
}

inline std::vector<std::byte> bytes_of_file(const std::filesystem::path& path) {
    std::vector<std::byte> bytes(std::filesystem::file_size(path));
    std::ifstream file(path, std::ios::binary);
    if (!file.read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()))) {
        throw std::runtime_error("cannot read " + path.string());
    }
    return bytes;
}

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

    SmallModel& set(std::string_view key, Value value) {
        const auto known =
            std::ranges::find(metadata, key, [](const auto& entry) { return std::string_view(entry.first); });
        if (known != metadata.end()) {
            known->second = std::move(value);
        } else {
            metadata.emplace_back(key, std::move(value));
        }
        return *this;
    }
    SmallModel& set(std::string_view key, std::string_view text) { return set(key, Value::of_string(text)); }
    SmallModel& set(std::string_view key, const char* text) { return set(key, Value::of_string(text)); }
    SmallModel& set(std::string_view key, std::uint32_t number) {
        return set(key, Value::of_unsigned(ValueType::uint32, number));
    }

    // Bytes that differ from tensor to tensor (by `seed`) and are finite in every type: numbers up to 0x3f in each
    // byte.
    SmallModel& tensor(std::string_view name, TensorType type, std::vector<std::uint64_t> ne, std::uint32_t seed = 0) {
        std::vector<std::byte> bytes(*tensor_bytes(format_of(type), ne));
        for (const char c : name) seed = seed * 31 + static_cast<unsigned char>(c);
        for (std::byte& byte : bytes) {
            seed = seed * 1664525 + 1013904223;
            byte = static_cast<std::byte>(seed >> 24 & 0x3f);
        }
        tensors.push_back({std::string(name), type, std::move(ne), std::move(bytes)});
        return *this;
    }
    Tensor& at(std::string_view name) { return *std::ranges::find(tensors, name, &Tensor::name); }
    void remove(std::string_view name) {
        std::erase_if(tensors, [&](const Tensor& tensor) { return tensor.name == name; });
    }

    std::vector<std::byte> file(const Container& container) const {
        Header header;
        header.byte_order = container.order;
        auto keys = metadata;
        if (container.backwards) std::ranges::reverse(keys);
        for (auto& [key, value] : keys) header.set(key, std::move(value));
        if (container.alignment != default_alignment) {
            header.set("general.alignment", Value::of_unsigned(ValueType::uint32, container.alignment));
        }
        std::vector<Tensor> ordered = tensors;
        if (container.backwards) std::ranges::reverse(ordered);
        for (Tensor& tensor : ordered) {
            Header::Tensor info{
                .name = tensor.name, .n_dims = static_cast<std::uint32_t>(tensor.ne.size()), .type = tensor.type};
            std::ranges::copy(tensor.ne, info.ne.begin());
            header.tensors.push_back(info);
            if (container.order == ByteOrder::big) swap_block_bytes(format_of(tensor.type), tensor.bytes);
        }
        auto bytes =
            write_to_memory(header, [&](std::size_t i) { return std::span<const std::byte>(ordered[i].bytes); });
        if (!bytes) throw std::runtime_error(bytes.error().message());
        return std::move(*bytes);
    }
    std::filesystem::path save(const std::filesystem::path& path, const Container& container) const {
        write_bytes(path, file(container));
        return path;
    }
    std::filesystem::path save(const std::filesystem::path& path) const { return save(path, Container{}); }

    // `count` files "STEM-00001-of-0000N.gguf" with a tensor in turn; the path of the first.
    std::filesystem::path save_split(const std::filesystem::path& stem, std::uint16_t count) const {
        std::filesystem::path first;
        for (std::uint16_t i = 0; i < count; ++i) {
            SmallModel shard;
            if (i == 0) shard.metadata = metadata;
            shard.set("split.no", Value::of_unsigned(ValueType::uint16, i));
            shard.set("split.count", Value::of_unsigned(ValueType::uint16, count));
            shard.set("split.tensors.count",
                      Value::of_signed(ValueType::int32, static_cast<std::int64_t>(tensors.size())));
            for (std::size_t t = i; t < tensors.size(); t += count) shard.tensors.push_back(tensors[t]);
            char number[32];
            std::snprintf(number, sizeof number, "-%05u-of-%05u.gguf", i + 1u, unsigned{count});
            const auto path = shard.save(stem.string() + number);
            if (i == 0) first = path;
        }
        return first;
    }
};

// A model of the llama family with two layers: every key that a summary shows, and four tensor types.
inline SmallModel small_llama() {
    const auto f32 = [](float value) { return Value::of_float32(value); };
    SmallModel model;
    model.set("general.architecture", "llama").set("general.name", "Small Llama").set("general.license", "mit");
    model.set("general.file_type", 15u).set("general.quantization_version", 2u);
    model.set("llama.block_count", 2u).set("llama.context_length", 4096u).set("llama.embedding_length", 256u);
    model.set("llama.feed_forward_length", 512u).set("llama.attention.head_count", 8u);
    model.set("llama.attention.head_count_kv", 2u).set("llama.attention.layer_norm_rms_epsilon", f32(1e-5f));
    const std::vector<std::string> tokens{"<s>", "</s>", "the", "\"", "\n", "\xc4\xa0of", "a", "b", "c", "d"};
    model.set("tokenizer.ggml.model", "llama").set("tokenizer.ggml.tokens", Value::of_strings(tokens));
    model.set("tokenizer.ggml.bos_token_id", 0u).set("tokenizer.ggml.add_bos_token", Value::of_bool(true));
    model.set("tokenizer.chat_template",
              "{% for message in messages %}{{ message['content'] }}\n{% endfor %}{{ eos_token }}");
    model.tensor("token_embd.weight", TensorType::Q6_K, {256, 10});
    for (const std::string block : {"blk.0.", "blk.1."}) {
        model.tensor(block + "attn_norm.weight", TensorType::F32, {256});
        model.tensor(block + "attn_q.weight", TensorType::Q4_K, {256, 256});
        model.tensor(block + "attn_v.weight", TensorType::Q8_0, {256, 64});
        model.tensor(block + "ffn_down.weight", TensorType::Q4_K, {512, 256});
    }
    return model;
}

}  // namespace ggufkit::test
