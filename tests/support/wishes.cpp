#include "support/wishes.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <stdexcept>

namespace ggufkit::test {

namespace {

template <class Number>
Number number(std::string_view text) {
    Number value{};
    std::from_chars(text.data(), text.data() + text.size(), value);
    return value;
}

TensorType type(std::string_view id) { return find_format(number<std::uint32_t>(id))->type(); }

// "a.b=int:3".
KeyOverride key_override(std::string_view text) {
    const std::size_t equals = text.find('='), colon = text.find(':', equals);
    const std::string_view kind = text.substr(equals + 1, colon - equals - 1), value = text.substr(colon + 1);
    KeyOverride override{std::string(text.substr(0, equals)), std::string(value)};
    if (kind == "int") override.value = number<std::int64_t>(value);
    if (kind == "float") override.value = number<double>(value);
    if (kind == "bool") override.value = value == "true";
    return override;
}

std::vector<std::uint32_t> numbers(std::string_view text) {
    std::vector<std::uint32_t> all;
    for (std::size_t at = 0; at < text.size(); at = std::min(text.find(',', at), text.size() - 1) + 1) {
        all.push_back(number<std::uint32_t>(text.substr(at)));
    }
    return all;
}

void apply(const std::string& option, Recipe& recipe, const Imatrix& imatrix) {
    const std::size_t equals = std::min(option.find('='), option.size() - 1);
    const std::string_view name = std::string_view(option).substr(0, option.find('='));
    const std::string_view value = std::string_view(option).substr(equals + 1);
    if (name == "pure") {
        recipe.mix()->pure = true;
    } else if (name == "leave-output") {
        recipe.mix()->leave_output = true;
    } else if (name == "copy") {
        recipe.types = Copy{};
    } else if (name == "keep-split") {
        recipe.split = SplitAsSource{};
    } else if (name == "imatrix" || name == "include" || name == "exclude") {
        recipe.mix()->imatrix = &imatrix;
    } else if (name == "output") {
        recipe.mix()->output_type = type(value);
    } else if (name == "embd") {
        recipe.mix()->token_embedding_type = type(value);
    } else if (name == "tensor-type") {
        const std::size_t last = value.rfind('=');
        recipe.mix()->overrides.push_back({std::string(value.substr(0, last)), type(value.substr(last + 1))});
    } else if (name == "kv") {
        recipe.metadata.push_back(key_override(value));
    } else if (name == "prune") {
        recipe.pruned_layers = numbers(value);
    } else {
        throw std::runtime_error("no option " + option);
    }
}

}  // namespace

std::string Wish::text() const { return fmt::format("{} {}", file_type, fmt::join(options, " ")); }

std::string Wish::file_type_id() const {
    const FileType* found = find_file_type(file_type);
    return std::to_string(found == nullptr ? 0 : found->id);
}

Recipe recipe_of(const Wish& wish, const Imatrix& imatrix) {
    Recipe recipe{Mix{.file_type = find_file_type(wish.file_type)}};
    for (const std::string& option : wish.options) apply(option, recipe, imatrix);
    return recipe;
}

std::vector<Wish> wishes(std::string_view architecture) {
    const auto kv = [&](std::string_view setting) { return fmt::format("kv={}.{}", architecture, setting); };
    std::vector<Wish> all{
        {"Q4_K_M", {"output=8"}},
        {"Q2_K", {"output=20", "embd=8"}},
        {"Q4_K_M", {"leave-output", "embd=6"}},
        {"Q4_K_M", {"leave-output", "output=8", "tensor-type=^output=2"}},
        {"Q6_K", {"pure", "embd=2"}},
        {"Q4_K_S", {"pure", "tensor-type=ffn_down=8"}},
        {"F16", {"embd=8"}},
        {"IQ3_XS", {"output=8", "imatrix=ones"}},
        {"Q4_K_M", {"tensor-type=attn_v=8", "tensor-type=blk\\.(1|3)\\..*ffn=13", "tensor-type=embd=7"}},
        {"Q4_K_M", {"prune=1,3"}},
        {"Q3_K_M", {"prune=0,2,6", "tensor-type=blk\\.1\\.=8"}},
        {"Q4_K_M", {"keep-split"}},
        {"Q3_K_M", {"keep-split", "output=3", "prune=2"}},
        {"Q2_K", {kv("attention.head_count_kv=int:1")}},
        {"IQ4_XS", {kv("attention.head_count_kv=int:1"), "imatrix=ones"}},
        {"Q4_K_M", {kv("block_count=int:80")}},
        {"COPY", {"copy"}},
        {"COPY", {"copy", "prune=4,5"}},
    };
    // llama.cpp does not override what this one has as an array, a number for each layer.
    if (architecture == "nemotron_h") {
        std::erase_if(all, [](const Wish& wish) { return wish.options.front().starts_with("kv="); });
    }
    return all;
}

const std::vector<std::string_view>& wish_shapes() {
    static const std::vector<std::string_view> all{
        "llama-3-8b",   "llama-3-70b", "seven-layers", "qwen2-0.5b", "ragged-rows",
        "mixtral-8x7b", "qwen2moe",    "falcon-7b",    "gemma3n",    "deepseek2-lite",
        "glm4moe",      "nemotron_h",  "mamba",        "t5",         "copied-values"};
    return all;
}

std::string wishes_text(std::string_view architecture, const std::function<ChosenTypes(const Wish&)>& choose) {
    std::string text;
    for (const Wish& wish : wishes(architecture)) {
        text += fmt::format("{}\n    {}\n", wish.text(), types_text(choose(wish)));
    }
    return text;
}

std::string wishes_path(std::string_view shape) { return fmt::format("tests/plan/golden/wishes/{}.txt", shape); }

}  // namespace ggufkit::test
