#include "plan/prune.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/try.hpp"
#include "plan/place.hpp"

namespace ggufkit::plan {

namespace {

constexpr std::string_view block_count = "block_count";

// How many of the first blocks are of some kind.
constexpr std::array<std::string_view, 2> counts_from_the_front{"leading_dense_block_count", "decoder_block_count"};
// How many of the last ones are.
constexpr std::array<std::string_view, 2> counts_from_the_back{"nextn_predict_layers", "attention.shared_kv_layers"};
// Arrays that may have as many elements as there are blocks, and have none of their own for each.
constexpr std::array<std::string_view, 1> no_lists_of_blocks{"rope.dimension_sections"};

bool is_one_of(std::span<const std::string_view> keys, std::string_view key) {
    return std::ranges::find(keys, key) != keys.end();
}

}  // namespace

Result<Pruning> Pruning::of(std::span<const std::uint32_t> layers, std::uint64_t blocks) {
    Pruning pruning;
    pruning.blocks_ = blocks;
    pruning.gone_.assign(layers.begin(), layers.end());
    auto& gone = pruning.gone_;
    std::ranges::sort(gone);
    gone.erase(std::ranges::unique(gone).begin(), gone.end());
    const auto refuse = [](std::string detail) {
        return fail({.code = Errc::bad_argument, .subject = "layers to prune", .detail = std::move(detail)});
    };
    if (!gone.empty() && gone.back() >= blocks) {
        return refuse(fmt::format("there is no layer {}: the model has {}, counted from 0", gone.back(), blocks));
    }
    if (!gone.empty() && gone.size() == blocks) return refuse("no layer would be left");
    return pruning;
}

std::uint64_t Pruning::gone_between(std::uint64_t begin, std::uint64_t end) const {
    return static_cast<std::uint64_t>(
        std::ranges::count_if(gone_, [&](std::uint64_t block) { return begin <= block && block < end; }));
}

std::optional<std::string> Pruning::rename(std::string_view name) const {
    const auto block = gone_.empty() ? std::nullopt : find_block(name);
    if (!block) return std::string(name);
    if (std::ranges::binary_search(gone_, block->value)) return std::nullopt;
    return fmt::format("{}{}{}", name.substr(0, block->begin), block->value - gone_between(0, block->value),
                       name.substr(block->end));
}

// The value of ARCH.`key` in the pruned model; nothing where it stays.
Result<std::optional<Value>> Pruning::adjusted(const ValueView& value, std::string_view key) const {
    if (const auto array = value.as_array()) {
        if (array->size() != blocks_ || is_one_of(no_lists_of_blocks, key)) return std::nullopt;
        std::vector<Value> kept;
        std::uint64_t block = 0;
        for (const ValueView element : *array) {
            if (!std::ranges::binary_search(gone_, block++)) kept.push_back(Value::copy_of(element));
        }
        TRY_LET(auto shorter, Value::of_array(array->element_type(), kept));
        return shorter;
    }
    const auto number = value.as_unsigned();
    if (!number) return std::nullopt;
    const auto less = [&](std::uint64_t gone) { return Value::of_unsigned(value.type(), *number - gone); };
    if (is_one_of(counts_from_the_front, key)) return less(gone_between(0, *number));
    if (is_one_of(counts_from_the_back, key)) return less(gone_between(blocks_ - std::min(blocks_, *number), blocks_));
    return std::nullopt;
}

Result<void> Pruning::adjust(Header& header, std::string_view architecture) const {
    if (gone_.empty()) return {};
    const std::string prefix = fmt::format("{}.", architecture);
    bool counted = false;
    std::vector<std::pair<std::string, Value>> changes;
    for (const auto& [key, value] : header.metadata()) {
        if (!key.starts_with(prefix)) continue;
        const std::string_view name = std::string_view(key).substr(prefix.size());
        counted = counted || name == block_count;
        TRY_LET(auto other, adjusted(value, name));
        if (other) changes.emplace_back(key, *std::move(other));
    }
    for (auto& [key, value] : changes) header.set(key, std::move(value));
    if (counted) {
        header.set_last(prefix + std::string(block_count),
                        Value::of_unsigned(ValueType::uint32, blocks_ - gone_.size()));
    }
    return {};
}

}  // namespace ggufkit::plan
