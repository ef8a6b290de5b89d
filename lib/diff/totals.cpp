#include <ggufkit/diff/diff.hpp>

#include "plan/totals.hpp"

namespace ggufkit {

std::vector<ValueTotal> totals(std::span<const TensorPair> pairs, std::span<const ValueDifference> differences,
                               Grouping grouping) {
    return plan::totals<ValueTotal>(
        pairs.size(), grouping, [&](std::size_t i) { return pairs[i].a->info->name; },
        [&](std::size_t i) { return pairs[i].a->info->format->name; },
        [&](ValueTotal& total, std::size_t i) { total.sums.add(differences[i].sums); });
}

}  // namespace ggufkit
