#include "tally.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <compare>
#include <iterator>
#include <map>
#include <optional>

#include "common/show.hpp"
#include "core/checked.hpp"
#include "core/text.hpp"
#include "plan/place.hpp"

namespace ggufkit::tool::info {

namespace {

std::uint64_t saturating_add(std::uint64_t a, std::uint64_t b) { return checked_add(a, b).value_or(~std::uint64_t{0}); }

// What the tensors of a layer have in common: "enc." and 3 of "enc.blk.3.ffn_up.weight".
struct Layer {
    std::string stack;
    std::optional<std::uint64_t> number;  // none: in no layer
    friend auto operator<=>(const Layer&, const Layer&) = default;
};

Layer layer_of(std::string_view name) {
    const auto number = plan::place_of(name).layer;
    return {number ? printable(name.substr(0, name.find("blk."))) : printable(name.substr(0, name.find('.'))), number};
}

// All experts of a layer in one tensor, "ffn_up_exps", or in older files one each, "ffn_up.7".
bool holds_experts(const TensorInfo& tensor, const Experts& experts) {
    const std::string part = plan::place_of(tensor.name).part;
    if (part.find("_exps") != part.npos) return tensor.n_dims > 0 && tensor.shape().back() == experts.count;
    const std::size_t dot = part.rfind('.');
    return part.starts_with("ffn_") && dot != part.npos && dot + 1 < part.size() &&
           part.find_first_not_of("0123456789", dot + 1) == part.npos;
}

// Of one tensor, rounded down.
std::uint64_t share_of(std::uint64_t elements, const Experts& experts) {
    return elements / experts.count * experts.used + elements % experts.count * experts.used / experts.count;
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
    for (const ModelTensor& tensor : model.tensors()) tallies[type_text(*tensor.info)].add(*tensor.info);
    Histogram types(tallies.begin(), tallies.end());
    std::ranges::stable_sort(types, std::ranges::greater{}, [](const auto& entry) { return entry.second.bytes; });
    return types;
}

Histogram count_layers(const Model& model) {
    std::map<Layer, Tally> tallies;
    for (const ModelTensor& tensor : model.tensors()) tallies[layer_of(tensor.info->name)].add(*tensor.info);
    Histogram single, layers;
    for (const auto& [layer, tally] : tallies) {
        if (layer.number) {
            layers.emplace_back(layer.stack + std::to_string(*layer.number), tally);
        } else {
            single.emplace_back(layer.stack, tally);
        }
    }
    single.insert(single.end(), std::make_move_iterator(layers.begin()), std::make_move_iterator(layers.end()));
    return single;
}

std::optional<Experts> experts_of(const ModelView& view) {
    const auto architecture = view.get_string("general.architecture");
    if (!architecture) return std::nullopt;
    const auto count = view.get_unsigned(fmt::format("{}.expert_count", *architecture));
    const auto used = view.get_unsigned(fmt::format("{}.expert_used_count", *architecture));
    constexpr std::uint64_t most = 1u << 20;  // so that a product of two of them fits
    if (!count || !used || *count == 0 || *count > most || *used > *count) return std::nullopt;
    return Experts{*count, *used};
}

std::optional<std::uint64_t> active_parameters(const Model& model) {
    const auto experts = experts_of(model.header());
    if (!experts) return std::nullopt;
    std::uint64_t active = 0;
    bool any = false;
    for (const ModelTensor& tensor : model.tensors()) {
        const std::uint64_t elements = tensor.info->elements().value_or(0);
        const bool shared_out = holds_experts(*tensor.info, *experts);
        any |= shared_out;
        active = saturating_add(active, shared_out ? share_of(elements, *experts) : elements);
    }
    return any ? std::optional(active) : std::nullopt;
}

std::string bar(double share, int cells) {
    std::string text;
    for (auto left = std::lround(share * cells); left > 0; --left) text += "█";
    return text;
}

}  // namespace ggufkit::tool::info
