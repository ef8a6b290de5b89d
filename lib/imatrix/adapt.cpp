// Importance for tensors that a model and its imatrix hold in other forms.
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ggufkit/model.hpp>
#include <ggufkit/quant/imatrix.hpp>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ggufkit {

namespace {

using Entry = Imatrix::Entry;

// Tensors of one layer that are multiplied with the same input, so that their importance is the same.
constexpr std::array<std::string_view, 4> attention{"attn_qkv", "attn_q", "attn_k", "attn_v"};
constexpr std::array<std::string_view, 3> experts{"ffn_gate_up_exps", "ffn_gate_exps", "ffn_up_exps"};
constexpr std::array<std::span<const std::string_view>, 2> same_input{attention, experts};

constexpr std::string_view merged_suffix = "_exps.weight", suffix = ".weight";

std::uint64_t matrices_of(const TensorInfo& tensor) { return tensor.ne[2] * tensor.ne[3]; }

// "blk.0.ffn_up.3.weight" as the tensor of all experts and the number of one.
struct OneExpert {
    std::string merged;  // "blk.0.ffn_up_exps.weight"
    std::uint32_t number = 0;
};
std::optional<OneExpert> one_expert(std::string_view name) {
    if (!name.ends_with(suffix)) return std::nullopt;
    name.remove_suffix(suffix.size());
    const std::size_t dot = name.rfind('.');
    if (dot == name.npos || name.substr(0, dot).find(".ffn_") == name.npos) return std::nullopt;
    const std::string_view digits = name.substr(dot + 1);
    OneExpert expert{std::string(name.substr(0, dot)).append(merged_suffix)};
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), expert.number);
    if (error != std::errc{} || end != digits.data() + digits.size()) return std::nullopt;
    return expert;
}

class Adapter {
  public:
    Adapter(const Model& model, const Imatrix& imatrix) : model_(model), imatrix_(imatrix) {}

    // For a tensor without an entry. Without weights where the file counted nothing for it.
    std::optional<Entry> adapt(const TensorInfo& tensor) {
        // Weights take memory in proportion to the tensor's data, whatever its dimensions.
        if (tensor.bytes().value_or(0) == 0) return std::nullopt;
        if (auto entry = merge(tensor)) return entry;
        if (auto entry = take_apart(tensor)) return entry;
        return take_same_input(tensor);
    }

    // Names of entries that gave their numbers to another one.
    const std::set<std::string_view>& used() const { return used_; }

  private:
    // An entry that is not about a tensor of the model itself.
    const Entry* spare(std::string_view name) const {
        return model_.find_tensor(name) == nullptr ? imatrix_.find_entry(name) : nullptr;
    }

    std::optional<Entry> merge(const TensorInfo& tensor) {
        constexpr std::uint64_t most_experts = 1 << 16;
        const std::uint64_t matrices = matrices_of(tensor), columns = tensor.ne[0];
        if (!tensor.name.ends_with(merged_suffix) || matrices > most_experts) return std::nullopt;
        const std::string_view stem = tensor.name.substr(0, tensor.name.size() - merged_suffix.size());
        std::vector<const Entry*> parts;
        for (std::uint64_t i = 0; i < matrices; ++i) parts.push_back(spare(fmt::format("{}.{}{}", stem, i, suffix)));
        const auto fits = [&](const Entry* part) { return part == nullptr || part->weights.size() == columns; };
        const auto first = std::ranges::find_if(parts, [](const Entry* part) { return part != nullptr; });
        if (first == parts.end() || !std::ranges::all_of(parts, fits)) return std::nullopt;

        Entry merged{.tensor = std::string(tensor.name), .weights = {}, .unseen = {}, .made_from = (*first)->tensor};
        for (const Entry* part : parts) {
            if (part == nullptr) {
                merged.unseen.push_back(static_cast<std::uint32_t>(merged.weights.size() / columns));
                merged.weights.insert(merged.weights.end(), columns, 1.0f);
            } else {
                merged.weights.insert(merged.weights.end(), part->weights.begin(), part->weights.end());
                used_.insert(part->tensor);
            }
        }
        return merged;
    }

    std::optional<Entry> take_apart(const TensorInfo& tensor) {
        const auto expert = one_expert(tensor.name);
        const Entry* const merged = expert ? spare(expert->merged) : nullptr;
        const std::uint64_t columns = tensor.ne[0];
        if (merged == nullptr || columns == 0 || merged->weights.size() % columns != 0) return std::nullopt;
        if (expert->number >= merged->weights.size() / columns) return std::nullopt;
        used_.insert(merged->tensor);
        Entry entry{.tensor = std::string(tensor.name), .weights = {}, .unseen = {}, .made_from = merged->tensor};
        if (std::ranges::binary_search(merged->unseen, expert->number)) return entry;
        const auto weights = std::span(merged->weights).subspan(expert->number * columns, columns);
        entry.weights.assign(weights.begin(), weights.end());
        return entry;
    }

    std::optional<Entry> take_same_input(const TensorInfo& tensor) {
        if (!tensor.name.ends_with(suffix)) return std::nullopt;
        const std::string_view stem = tensor.name.substr(0, tensor.name.size() - suffix.size());
        const std::size_t dot = stem.rfind('.');
        if (dot == stem.npos) return std::nullopt;
        const Entry* found = nullptr;
        for (const auto& group : same_input) {
            if (std::ranges::find(group, stem.substr(dot + 1)) == group.end()) continue;
            for (const std::string_view other : group) {
                const Entry* const donor = spare(fmt::format("{}{}{}", stem.substr(0, dot + 1), other, suffix));
                if (donor == nullptr || donor->weights.size() != tensor.ne[0] * matrices_of(tensor)) continue;
                used_.insert(donor->tensor);
                if (found == nullptr) found = donor;
            }
        }
        if (found == nullptr) return std::nullopt;
        return Entry{std::string(tensor.name), found->weights, found->unseen, found->tensor};
    }

    const Model& model_;
    const Imatrix& imatrix_;
    std::set<std::string_view> used_;
};

}  // namespace

Imatrix Imatrix::adapted(const Model& model) && {
    Adapter adapter(model, *this);
    std::vector<Entry> made;
    std::vector<std::string> uncounted = uncounted_;
    for (const ModelTensor& tensor : model.tensors()) {
        const std::string_view name = tensor.info->name;
        if (find_entry(name) != nullptr || is_uncounted(name)) continue;
        auto entry = adapter.adapt(*tensor.info);
        if (!entry) continue;
        if (entry->weights.empty()) {
            uncounted.emplace_back(name);
        } else {
            made.push_back(*std::move(entry));
        }
    }
    for (const Entry& entry : entries_) {
        if (!adapter.used().contains(entry.tensor)) made.push_back(entry);
    }
    std::ranges::sort(made, {}, &Entry::tensor);
    Imatrix imatrix;
    imatrix.entries_ = std::move(made);
    imatrix.origin_ = std::move(origin_);
    std::ranges::sort(uncounted);
    imatrix.uncounted_ = std::move(uncounted);
    return imatrix;
}

}  // namespace ggufkit
