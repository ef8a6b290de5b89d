#include <algorithm>
#include <ggufkit/diff/diff.hpp>

#include "core/try.hpp"

namespace ggufkit {

namespace {

std::vector<std::string> beyond(const Model& base, const Model& a, const Model& b) {
    std::vector<std::string> names;
    for (const Model* model : {&a, &b}) {
        for (const ModelTensor& tensor : model->tensors()) {
            if (base.find_tensor(tensor.info->name) == nullptr && !is_scale(*model, tensor))
                names.emplace_back(tensor.info->name);
        }
    }
    std::ranges::sort(names);
    const auto twice = std::ranges::unique(names);
    names.erase(twice.begin(), twice.end());
    return names;
}

}  // namespace

Result<Ranking> rank_models(const Model& base, const Model& a, const Model& b, const ValueOptions& options) {
    Ranking ranking;
    for (const ModelTensor& tensor : base.tensors()) {
        if (is_scale(base, tensor)) continue;
        const TensorPair to_a{&tensor, a.find_tensor(tensor.info->name)};
        const TensorPair to_b{&tensor, b.find_tensor(tensor.info->name)};
        if (has_values_to_compare(to_a) && has_values_to_compare(to_b)) {
            ranking.pairs_a.push_back(to_a);
            ranking.pairs_b.push_back(to_b);
        } else {
            ranking.not_compared.emplace_back(tensor.info->name);
        }
    }
    ranking.not_in_base = beyond(base, a, b);
    TRY_LET(auto of_a, compare_values(base, a, ranking.pairs_a, options));
    TRY_LET(auto of_b, compare_values(base, b, ranking.pairs_b, options));
    ranking.a = std::move(of_a);
    ranking.b = std::move(of_b);
    return ranking;
}

}  // namespace ggufkit
