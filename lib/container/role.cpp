#include "container/role.hpp"

#include <algorithm>
#include <array>

namespace ggufkit::container {

namespace {

struct Row {
    std::string_view what;
    std::string_view option;
};

// In the order of the enumerators.
constexpr std::array<Row, 6> rows{{
    {"a model", "--model"},
    {"a LoRA adapter", "--lora"},
    {"a multimodal projector (mmproj)", "--mmproj"},
    {"an importance matrix", "--imatrix"},
    {"a control vector", "--control-vector"},
    {"a vocabulary without weights", "--model"},
}};

const Row& row(Role role) { return rows[static_cast<std::size_t>(role)]; }

bool all_named(const ModelView& view, bool (*fits)(std::string_view)) {
    return !view.tensors().empty() &&
           std::ranges::all_of(view.tensors(), [&](const TensorInfo& tensor) { return fits(tensor.name); });
}

bool is_of_adapter(std::string_view name) { return name.ends_with(".lora_a") || name.ends_with(".lora_b"); }
bool is_of_imatrix(std::string_view name) { return name.ends_with(".in_sum2") || name.ends_with(".counts"); }

}  // namespace

Role role_of(const ModelView& view) {
    const auto type = view.get_string("general.type").value_or("");
    const auto architecture = view.get_string("general.architecture").value_or("");
    if (type == "adapter" || view.find_key("adapter.type") != nullptr) return Role::adapter;
    if (type == "mmproj" || architecture == "clip") return Role::projector;
    if (type == "imatrix") return Role::imatrix;
    if (architecture == "controlvector") return Role::control_vector;
    if (all_named(view, is_of_adapter)) return Role::adapter;
    if (all_named(view, is_of_imatrix)) return Role::imatrix;
    // The first shard of a split model may have no tensors either.
    if (view.announced_tensors() == 0 && view.find_key("tokenizer.ggml.tokens") != nullptr &&
        view.find_key("split.count") == nullptr) {
        return Role::vocabulary;
    }
    return Role::model;
}

std::string_view describe(Role role) { return row(role).what; }
std::string_view option(Role role) { return row(role).option; }

}  // namespace ggufkit::container
