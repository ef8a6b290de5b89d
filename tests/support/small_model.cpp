#include "support/small_model.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/quant/quantize.hpp>
#include <stdexcept>

#include "support/files.hpp"
#include "support/must.hpp"
#include "support/random_blocks.hpp"

namespace ggufkit::test {

namespace {

void check(const Result<void>& result) {
    if (!result) throw std::runtime_error(result.error().message());
}

std::uint64_t elements_of(const SmallModel::Tensor& tensor) {
    const FormatInfo& format = format_of(tensor.type);
    return tensor.bytes.size() / format.block_bytes * format.block_elements;
}

}  // namespace

SmallModel& SmallModel::set(std::string_view key, Value value) {
    const auto known =
        std::ranges::find(metadata, key, [](const auto& entry) { return std::string_view(entry.first); });
    if (known != metadata.end()) {
        known->second = std::move(value);
    } else {
        metadata.emplace_back(key, std::move(value));
    }
    return *this;
}

SmallModel& SmallModel::set(std::string_view key, std::string_view text) { return set(key, Value::of_string(text)); }

SmallModel& SmallModel::set(std::string_view key, const char* text) { return set(key, Value::of_string(text)); }

SmallModel& SmallModel::set(std::string_view key, std::uint32_t number) {
    return set(key, Value::of_unsigned(ValueType::uint32, number));
}

void SmallModel::unset(std::string_view key) {
    std::erase_if(metadata, [&](const auto& entry) { return entry.first == key; });
}

SmallModel& SmallModel::tensor(std::string_view name, TensorType type, std::vector<std::uint64_t> ne,
                               std::uint32_t seed) {
    std::vector<std::byte> bytes(must(tensor_bytes(format_of(type), ne)));
    for (const char c : name) seed = seed * 31 + static_cast<unsigned char>(c);
    for (std::byte& byte : bytes) {
        seed = seed * 1664525 + 1013904223;
        byte = static_cast<std::byte>(seed >> 24 & 0x3f);
    }
    tensors.push_back({std::string(name), type, std::move(ne), std::move(bytes)});
    return *this;
}

SmallModel& SmallModel::weights(std::string_view name, TensorType type, std::vector<std::uint64_t> ne) {
    const FormatInfo& format = format_of(type);
    Tensor made{std::string(name), type, std::move(ne), {}};
    made.bytes.resize(must(tensor_bytes(format, made.ne)));
    if (can_quantize(type) && !made.bytes.empty()) {
        Random random(tensors.size());
        std::vector<float> values(elements_of(made));
        for (float& value : values) value = (random.unit() + random.unit() + random.unit() - 1.5f) / 10;
        check(quantize_rows(type, values, made.ne.empty() ? 1 : made.ne[0], made.bytes));
    } else {
        made.bytes = random_blocks(format, made.bytes.size() / format.block_bytes, tensors.size());
    }
    tensors.push_back(std::move(made));
    return *this;
}

SmallModel::Tensor& SmallModel::at(std::string_view name) { return *std::ranges::find(tensors, name, &Tensor::name); }

void SmallModel::remove(std::string_view name) {
    std::erase_if(tensors, [&](const Tensor& tensor) { return tensor.name == name; });
}

Header SmallModel::header(const Container& in) const {
    Header header;
    header.byte_order = in.order;
    auto keys = metadata;
    if (in.backwards) std::ranges::reverse(keys);
    for (auto& [key, value] : keys) header.set(key, std::move(value));
    if (in.alignment != default_alignment) {
        header.set("general.alignment", Value::of_unsigned(ValueType::uint32, in.alignment));
    }
    for (const Tensor& tensor : tensors) {
        Header::Tensor info{
            .name = tensor.name, .n_dims = static_cast<std::uint32_t>(tensor.ne.size()), .type = tensor.type};
        std::ranges::copy(tensor.ne, info.ne.begin());
        header.tensors.push_back(info);
    }
    if (in.backwards) std::ranges::reverse(header.tensors);
    return header;
}

std::vector<std::byte> SmallModel::bytes(const Container& in) const {
    std::vector<std::byte> swapped;
    return must(write_to_memory(header(in), [&](std::size_t i) -> std::span<const std::byte> {
        const Tensor& tensor = tensors[in.backwards ? tensors.size() - 1 - i : i];
        if (in.order == ByteOrder::little) return tensor.bytes;
        swapped = tensor.bytes;
        swap_block_bytes(format_of(tensor.type), swapped);
        return swapped;
    }));
}

std::filesystem::path SmallModel::save(const std::filesystem::path& path, const Container& in) const {
    write_file(path, bytes(in));
    return path;
}

std::filesystem::path SmallModel::save_split(const std::filesystem::path& stem, std::uint16_t count) const {
    std::filesystem::path first;
    for (std::uint16_t i = 0; i < count; ++i) {
        SmallModel shard;
        if (i == 0) shard.metadata = metadata;
        shard.set("split.no", Value::of_unsigned(ValueType::uint16, i));
        shard.set("split.count", Value::of_unsigned(ValueType::uint16, count));
        shard.set("split.tensors.count", Value::of_signed(ValueType::int32, static_cast<std::int64_t>(tensors.size())));
        for (std::size_t t = i; t < tensors.size(); t += count) shard.tensors.push_back(tensors[t]);
        const auto path = shard.save(fmt::format("{}-{:05}-of-{:05}.gguf", stem.string(), i + 1, count));
        if (i == 0) first = path;
    }
    return first;
}

SmallModel SmallModel::requantized(const Types& types,
                                   const std::map<std::string, std::vector<float>>& importance) const {
    SmallModel made = *this;
    for (Tensor& tensor : made.tensors) {
        const auto wanted = types.find(tensor.name);
        if (wanted == types.end() || wanted->second == tensor.type) continue;
        std::vector<float> values(elements_of(tensor));
        check(dequantize_rows(tensor.type, tensor.bytes, values));
        tensor.type = wanted->second;
        tensor.bytes.resize(must(tensor_bytes(format_of(tensor.type), tensor.ne)));
        const std::uint64_t ne0 = tensor.ne.empty() ? 1 : tensor.ne[0];
        const auto weights = importance.find(tensor.name);
        if (weights == importance.end()) {
            check(quantize_rows(tensor.type, values, ne0, tensor.bytes));
            continue;
        }
        const std::size_t matrices = weights->second.size() / ne0;
        const std::size_t in = values.size() / matrices, out = tensor.bytes.size() / matrices;
        for (std::size_t m = 0; m < matrices; ++m) {
            check(quantize_rows(tensor.type, std::span(values).subspan(m * in, in), ne0,
                                std::span(tensor.bytes).subspan(m * out, out),
                                std::span(weights->second).subspan(m * ne0, ne0)));
        }
    }
    return made;
}

SmallModel bare_llama(ByteOrder order, std::uint32_t alignment) {
    SmallModel model;
    model.set("general.architecture", "llama");
    model.container = {.order = order, .alignment = alignment};
    return model;
}

SmallModel small_llama() {
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

SmallModel mixed_model(ByteOrder order, std::uint32_t alignment) {
    SmallModel model = bare_llama(order, alignment);
    model.weights("q8.large", TensorType::Q8_0, {256, 1027})
        .weights("f16.stack", TensorType::F16, {96, 11, 5})
        .weights("f32.copied", TensorType::F32, {100'001})
        .weights("f32.odd", TensorType::F32, {7, 3})
        .weights("empty", TensorType::F16, {64, 0, 3})
        .weights("scalar", TensorType::F32, {})
        .weights("scalar.converted", TensorType::F32, {})
        .weights("q4k.copied", TensorType::Q4_K, {256, 3, 2})
        .weights("iq.copied", TensorType::IQ2_XS, {256, 3})
        .weights("integers", TensorType::I32, {3})
        .weights("bf16.stack", TensorType::BF16, {64, 40, 3, 2})
        .weights("q6k.decoded", TensorType::Q6_K, {512, 9});
    return model;
}

const Types mixed_types{{"q8.large", TensorType::F16},         {"f16.stack", TensorType::Q8_0},
                        {"f32.odd", TensorType::F16},          {"empty", TensorType::Q8_0},
                        {"scalar.converted", TensorType::F16}, {"bf16.stack", TensorType::F32},
                        {"q6k.decoded", TensorType::Q8_0}};

}  // namespace ggufkit::test
