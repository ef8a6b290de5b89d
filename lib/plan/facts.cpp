#include "plan/facts.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "plan/roles.hpp"

namespace ggufkit::plan {

namespace {

const ValueView* find(const Header& metadata, std::string_view key) {
    const auto entry = std::ranges::find(metadata.metadata(), key, &Header::Entry::key);
    return entry == metadata.metadata().end() ? nullptr : &entry->value;
}

// The number behind a key; of an array, the first element (that of layer 0).
std::optional<std::uint64_t> number(const Header& metadata, std::string_view key) {
    const ValueView* entry = find(metadata, key);
    if (entry == nullptr) return std::nullopt;
    ValueView value = *entry;
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

ModelFacts read_facts(const Model& model, const Header& metadata) {
    ModelFacts facts;
    if (const ValueView* name = find(metadata, "general.architecture"))
        facts.architecture = name->as_string().value_or("");
    const auto fact = [&](std::string_view name) { return number(metadata, facts.architecture + std::string(name)); };
    const auto layers = fact(".block_count");
    facts.layers = layers ? *layers : blocks_named(model);
    facts.heads = fact(".attention.head_count").value_or(0);
    facts.kv_heads = fact(".attention.head_count_kv").value_or(facts.heads);
    facts.experts = fact(".expert_count").value_or(0);
    facts.tied = model.find_tensor("output.weight") == nullptr;
    return facts;
}

}  // namespace ggufkit::plan
