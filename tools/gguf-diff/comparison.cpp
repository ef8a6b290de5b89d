#include "comparison.hpp"

#include <algorithm>
#include <functional>
#include <optional>
#include <span>
#include <utility>

#include "common/progress.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

// Weights of a sample that are not the same make a difference; whether others are is not known.
void add_sampled(Diff& diff, const std::vector<TensorPair>& pairs, const std::vector<ValueDifference>& values) {
    std::vector<TensorChange> changes;
    std::size_t next = 0;  // of those that are known already, which are in the order of A as well
    for (std::size_t i = 0; i < pairs.size(); ++i) {
        const auto known = [&] { return next < diff.tensors.size() && diff.tensors[next].a != nullptr; };
        while (known() && diff.tensors[next].a < pairs[i].a) changes.push_back(std::move(diff.tensors[next++]));
        if (known() && diff.tensors[next].a == pairs[i].a) {
            changes.push_back(std::move(diff.tensors[next++]));
        } else if (values[i].sums.equal_share() < 1) {
            TensorChange change{.name = std::string(pairs[i].a->info->name), .a = pairs[i].a, .b = pairs[i].b};
            change.bytes_differ = true;
            changes.push_back(std::move(change));
            --diff.tensors_equal;
        }
    }
    while (next < diff.tensors.size()) changes.push_back(std::move(diff.tensors[next++]));
    diff.tensors = std::move(changes);
}

// Those that both have, in the order of A. Not factors of others, which count in the values of those.
std::vector<TensorPair> common_tensors(const Model& a, const Model& b) {
    std::vector<TensorPair> pairs;
    for (const ModelTensor& tensor : a.tensors()) {
        const TensorPair pair{&tensor, b.find_tensor(tensor.info->name)};
        if (!is_scale(a, tensor) && has_values_to_compare(pair)) pairs.push_back(pair);
    }
    return pairs;
}

// Which of `pairs` each changed tensor is. Both are in the order of A.
std::vector<std::optional<std::size_t>> numbers_of(const Diff& diff, std::span<const TensorPair> pairs) {
    std::vector<std::optional<std::size_t>> numbers(diff.tensors.size());
    std::size_t next = 0;
    for (std::size_t i = 0; i < diff.tensors.size(); ++i) {
        const TensorChange& change = diff.tensors[i];
        if (change.a == nullptr) continue;
        while (next < pairs.size() && pairs[next].a < change.a) ++next;
        if (next < pairs.size() && pairs[next].a == change.a) numbers[i] = next;
    }
    return numbers;
}

Result<std::vector<ValueDifference>> measure(const Model& a, const Model& b, const std::vector<TensorPair>& pairs,
                                             const Options& options, const Imatrix* imatrix,
                                             const std::stop_token& stop) {
    ProgressBar bar;
    return compare_values(
        a, b, pairs,
        {.work = {.threads = options.threads, .progress = [&](const Progress& now) { bar.update(now); }, .stop = stop},
         .imatrix = imatrix,
         .sample = options.sample});
}

Result<Diff> look(const Model& a, const Model& b, const Options& options, const std::stop_token& stop) {
    ProgressBar bar;
    return compare_models(
        a, b,
        {.work = {.threads = options.threads, .progress = [&](const Progress& now) { bar.update(now); }, .stop = stop},
         .ignored_keys = options.ignored_keys,
         .tolerance = options.tolerance,
         .bytes = options.sample == 0,
         .digests = options.json});
}

// The first that differ of the tensors that are furthest apart.
Result<std::vector<SpelledBlock>> spell_blocks(const Model& a, const Model& b, const Comparison& comparison) {
    constexpr std::size_t most_tensors = 5, most_blocks = 2;
    std::vector<SpelledBlock> spelled;
    std::size_t tensors = 0;
    for (const std::size_t i : by_error(comparison)) {
        const TensorChange& change = comparison.diff.tensors[i];
        if (change.blocks.first.empty() || ++tensors > most_tensors) continue;
        const auto blocks = std::span(change.blocks.first);
        for (const std::uint64_t block : blocks.first(std::min(blocks.size(), most_blocks))) {
            auto parts = explain_difference(a, *change.a, b, *change.b, block);
            if (!parts) return fail(std::move(parts).error());
            spelled.push_back({i, block, std::move(*parts)});
        }
    }
    return spelled;
}

}  // namespace

Result<Comparison> compare_models(const Model& a, const Model& b, Names names, const Options& options,
                                  const Imatrix* imatrix, const std::stop_token& stop) {
    auto diff = look(a, b, options, stop);
    if (!diff) return fail(std::move(diff).error());
    Comparison comparison{.names = std::move(names), .diff = std::move(*diff), .sample = options.sample};
    if (std::ranges::any_of(comparison.diff.metadata, &is_tokenizer_list, &KeyChange::key)) {
        comparison.tokenizer = compare_tokenizers(a.header(), b.header());
    }
    const bool sampled = options.sample != 0;
    const bool with_values = !options.brief || options.html || !options.fail_above.empty();
    // A sample is looked at to find what differs; otherwise bytes have shown that.
    if (sampled || (with_values && !comparison.diff.tensors.empty())) {
        comparison.pairs = common_tensors(a, b);
        if (!sampled) {
            const auto numbers = numbers_of(comparison.diff, comparison.pairs);
            for (TensorPair& pair : comparison.pairs) pair.same = true;
            for (const auto& number : numbers) {
                if (number) comparison.pairs[*number].same = false;
            }
        }
        auto values = measure(a, b, comparison.pairs, options, imatrix, stop);
        if (!values) return fail(std::move(values).error());
        comparison.values = std::move(*values);
    }
    if (sampled) add_sampled(comparison.diff, comparison.pairs, comparison.values);
    if (!with_values || comparison.diff.tensors.empty()) {
        comparison.pairs.clear();
        comparison.values.clear();
    }
    comparison.numbers = numbers_of(comparison.diff, comparison.pairs);
    if (options.blocks) {
        auto blocks = spell_blocks(a, b, comparison);
        if (!blocks) return fail(std::move(blocks).error());
        comparison.blocks = std::move(*blocks);
    }
    return comparison;
}

std::vector<std::size_t> by_error(const Comparison& comparison) {
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < comparison.diff.tensors.size(); ++i) {
        if (comparison.values_of(i) != nullptr) order.push_back(i);
    }
    std::ranges::stable_sort(order, std::greater(), [&](std::size_t i) {
        const ErrorSums& sums = comparison.values_of(i)->sums;
        return std::pair(sums.not_finite > 0, sums.relative_rmse());
    });
    return order;
}

std::vector<Judged> judged(const Comparison& comparison) {
    std::vector<Judged> tensors;
    for (std::size_t i = 0; i < comparison.diff.tensors.size(); ++i) {
        const TensorChange& change = comparison.diff.tensors[i];
        const ValueDifference* const values = comparison.values_of(i);
        if (!change.renamed && !change.scale)
            tensors.push_back({change.name, values == nullptr ? nullptr : &values->sums});
    }
    return tensors;
}

ErrorSums whole(const Comparison& comparison) {
    return totals(comparison.pairs, comparison.values, Grouping::whole).front().sums;
}

}  // namespace ggufkit::tool::diff
