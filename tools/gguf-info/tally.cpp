#include "tally.hpp"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>
#include <optional>

#include "common/show.hpp"
#include "core/checked.hpp"
#include "core/text.hpp"

namespace ggufkit::info {

namespace {

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) { return checked_add(a, b).value_or(~std::uint64_t{0}); }

// N of "blk.N.…".
std::optional<std::uint64_t> layer_of(std::string_view name) {
    constexpr std::string_view prefix = "blk.";
    if (!name.starts_with(prefix)) return std::nullopt;
    std::uint64_t number = 0;
    const char* const end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + prefix.size(), end, number);
    return error == std::errc{} && rest != end && *rest == '.' ? std::optional(number) : std::nullopt;
}

}  // namespace

void Tally::add(const TensorInfo& tensor) {
    ++tensors;
    elements = saturating_add(elements, tensor.elements().value_or(0));
    const auto size = tensor.bytes();
    if (!size) return;
    bytes = saturating_add(bytes, *size);
    sized = saturating_add(sized, tensor.elements().value_or(0));
}

void Tally::add(const Tally& other) {
    tensors += other.tensors;
    elements = saturating_add(elements, other.elements);
    bytes = saturating_add(bytes, other.bytes);
    sized = saturating_add(sized, other.sized);
}

Histogram count_types(const Model& model) {
    std::map<std::string, Tally> tallies;
    for (const ModelTensor& tensor : model.tensors()) tallies[cli::type_text(*tensor.info)].add(*tensor.info);
    Histogram types(tallies.begin(), tallies.end());
    std::ranges::stable_sort(types, std::ranges::greater{}, [](const auto& entry) { return entry.second.bytes; });
    return types;
}

Histogram count_layers(const Model& model) {
    std::map<std::pair<std::optional<std::uint64_t>, std::string>, Tally> tallies;  // no layer comes before all layers
    for (const ModelTensor& tensor : model.tensors()) {
        const std::string_view name = tensor.info->name;
        const auto layer = layer_of(name);
        tallies[{layer, layer ? std::to_string(*layer) : printable(name.substr(0, name.find('.')))}].add(*tensor.info);
    }
    Histogram layers;
    for (auto& [key, tally] : tallies) layers.emplace_back(key.second, tally);
    return layers;
}

std::string bar(double share, int cells) {
    std::string text;
    for (auto left = std::lround(share * cells); left > 0; --left) text += "█";
    return text;
}

}  // namespace ggufkit::info
