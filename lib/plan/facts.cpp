#include "plan/facts.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <variant>

#include "plan/roles.hpp"

namespace ggufkit::plan {

namespace {

// What the last override of a key says, where that is a T.
template <class T>
const T* overridden(std::span<const KeyOverride> overrides, std::string_view key) {
    const T* value = nullptr;
    for (const KeyOverride& override : overrides) {
        if (override.key == key) value = std::get_if<T>(&override.value);
    }
    return value;
}

// The number behind a key; of an array, the first element (that of layer 0).
std::optional<std::uint64_t> number(const ModelView& header, std::string_view key) {
    const KeyValue* entry = header.find_key(key);
    if (entry == nullptr) return std::nullopt;
    ValueView value = entry->value;
    if (value.type() == ValueType::array) {
        const auto first = value.as_array().and_then([](const ArrayView& array) { return array.at(0); });
        if (!first) return std::nullopt;
        value = *first;
    }
    const auto result = value.as_unsigned();
    return result ? std::optional(*result) : std::nullopt;
}

std::uint64_t blocks_named(const Model& model) {
    std::uint64_t blocks = 0;
    for (const ModelTensor& tensor : model.tensors())
        if (const auto block = block_of(tensor.info->name)) blocks = std::max(blocks, *block + 1);
    return blocks;
}

}  // namespace

bool ModelFacts::is_70b() const {
    if (architecture == "jais2") return layers == 68;
    if (layers != 80) return false;
    if (architecture == "llama" || architecture == "llama-embed") return heads != kv_heads;
    return architecture == "deci" || architecture == "olmo" || architecture == "qwen2";
}

ModelFacts read_facts(const Model& model, std::span<const KeyOverride> overrides) {
    constexpr std::string_view architecture = "general.architecture";
    const ModelView& header = model.header();
    ModelFacts facts;
    const auto* const renamed = overridden<std::string>(overrides, architecture);
    facts.architecture = renamed != nullptr ? *renamed : header.get_string(architecture).value_or("");
    const auto fact = [&](std::string_view name) -> std::optional<std::uint64_t> {
        const std::string key = std::string(facts.architecture).append(name);
        const auto* const given = overridden<std::int64_t>(overrides, key);
        if (given != nullptr && *given >= 0) return static_cast<std::uint64_t>(*given);
        return number(header, key);
    };
    const auto layers = fact(".block_count");
    facts.layers = layers ? *layers : blocks_named(model);
    facts.heads = fact(".attention.head_count").value_or(0);
    facts.kv_heads = fact(".attention.head_count_kv").value_or(facts.heads);
    facts.experts = fact(".expert_count").value_or(0);
    facts.tied = model.find_tensor("output.weight") == nullptr;
    return facts;
}

}  // namespace ggufkit::plan
