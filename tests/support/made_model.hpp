// Small models with real data, and plans for them, built without make_plan().
#pragma once

#include <cmath>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ggufkit/plan.hpp>
#include <ggufkit/quantize.hpp>
#include <ggufkit/writer.hpp>
#include <map>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "support/random_blocks.hpp"

namespace ggufkit::test {

template <class T>
T must(Result<T> result) {
    if (!result) throw std::runtime_error(result.error().message());
    return std::move(*result);
}

inline void write_file(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    std::ofstream out(path, std::ios::binary | std::ios::trunc);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
}

inline std::vector<std::byte> read_file(const std::filesystem::path& path) {
    std::vector<std::byte> bytes(std::filesystem::file_size(path));
    std::ifstream(path, std::ios::binary)
        .read(reinterpret_cast<char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
    return bytes;
}

// A header and the data of its tensors in native byte order, ready to be changed and saved.
struct MadeModel {
    Header header;
    std::vector<std::vector<std::byte>> data;

    explicit MadeModel(ByteOrder order = ByteOrder::little, std::uint32_t alignment = default_alignment) {
        header.byte_order = order;
        header.set("general.architecture", Value::of_string("llama"));
        header.set("general.alignment", Value::of_unsigned(ValueType::uint32, alignment));
    }

    // A tensor of weights about as large as a model's; `ne` as in GGUF, the row length first.
    MadeModel& add(std::string_view name, TensorType type, std::vector<std::uint64_t> ne) {
        Header::Tensor tensor{.name = std::string(name), .n_dims = static_cast<std::uint32_t>(ne.size()), .type = type};
        std::ranges::copy(ne, tensor.ne.begin());
        const std::uint64_t bytes = must(tensor_bytes(format_of(type), ne));
        const FormatInfo& format = format_of(type);
        if (can_quantize(type) && bytes != 0) {
            Random random(header.tensors.size());
            std::vector<float> values(bytes / format.block_bytes * format.block_elements);
            for (float& value : values) value = (random.unit() + random.unit() + random.unit() - 1.5f) / 10;
            data.emplace_back(bytes);
            if (auto made = quantize_rows(type, values, tensor.ne[0], data.back()); !made) {
                throw std::runtime_error(made.error().message());
            }
        } else {
            data.push_back(random_blocks(format, bytes / format.block_bytes, header.tensors.size()));
        }
        header.tensors.push_back(std::move(tensor));
        return *this;
    }

    std::vector<std::byte> bytes() const {
        return must(write_to_memory(header, [&](std::size_t i) -> std::span<const std::byte> {
            if (header.byte_order == ByteOrder::little) return data[i];
            swapped_ = data[i];
            swap_block_bytes(format_of(header.tensors[i].type), swapped_);
            return swapped_;
        }));
    }

    // What the tensors of this model are in other types: the specification that execute() is compared with, whole
    // tensors in one call each.
    // `importance` has the weights of each matrix of a tensor, one matrix after the other.
    MadeModel requantized(const std::map<std::string, TensorType>& types,
                          const std::map<std::string, std::vector<float>>& importance = {}) const {
        MadeModel made = *this;
        for (std::size_t i = 0; i < data.size(); ++i) {
            Header::Tensor& tensor = made.header.tensors[i];
            const auto wanted = types.find(tensor.name);
            if (wanted == types.end() || wanted->second == tensor.type) continue;
            const FormatInfo& from = format_of(tensor.type);
            std::vector<float> values(data[i].size() / from.block_bytes * from.block_elements);
            made.data[i].resize(must(tensor_bytes(format_of(wanted->second), tensor.ne)));
            auto decoded = dequantize_rows(tensor.type, data[i], values);
            const auto weights = importance.find(tensor.name);
            if (decoded && weights == importance.end()) {
                decoded = quantize_rows(wanted->second, values, tensor.ne[0], made.data[i]);
            } else if (decoded) {
                const std::size_t ne0 = tensor.ne[0], matrices = weights->second.size() / ne0;
                const std::size_t in = values.size() / matrices, out = made.data[i].size() / matrices;
                for (std::size_t m = 0; decoded && m < matrices; ++m) {
                    decoded = quantize_rows(wanted->second, std::span(values).subspan(m * in, in), ne0,
                                            std::span(made.data[i]).subspan(m * out, out),
                                            std::span(weights->second).subspan(m * ne0, ne0));
                }
            }
            if (!decoded) throw std::runtime_error(decoded.error().message());
            tensor.type = wanted->second;
        }
        return made;
    }

  private:
    mutable std::vector<std::byte> swapped_;
};

// The plan that gives the named tensors other types and copies the rest.
inline Plan plan_for(const Model& model, const std::map<std::string, TensorType>& types = {},
                     ByteOrder order = ByteOrder::little) {
    Header header = must(Header::from(model.header()));
    header.byte_order = order;
    header.tensors.clear();
    Plan plan;
    plan.model = model.identity();
    plan.file_type = find_file_type("Q4_K_M");
    plan.byte_order = order;
    for (const auto& [info, shard] : model.tensors()) {
        const TensorType from = info->format->type();
        const auto wanted = types.find(std::string(info->name));
        const TensorType to = wanted == types.end() ? from : wanted->second;
        header.tensors.push_back({std::string(info->name), info->n_dims, info->ne, to});
        plan.tensors.push_back({.name = std::string(info->name),
                                .source = plan.tensors.size(),
                                .from = from,
                                .to = to,
                                .n_dims = info->n_dims,
                                .ne = info->ne,
                                .bytes_in = must(info->bytes()),
                                .bytes_out = 0,
                                .offset = 0,
                                .reason = {}});
    }
    plan.files = {must(make_layout(header))};
    for (std::size_t i = 0; i < plan.tensors.size(); ++i) {
        plan.tensors[i].bytes_out = plan.files[0].sizes[i];
        plan.tensors[i].offset = plan.files[0].offsets[i];
    }
    return plan;
}

}  // namespace ggufkit::test
