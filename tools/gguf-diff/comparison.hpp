// Two models compared, and what else was asked for.
#pragma once

#include <cstddef>
#include <ggufkit/diff/diff.hpp>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "diff/sequences.hpp"

#include "limits.hpp"
#include "options.hpp"

namespace ggufkit::tool::diff {

struct Names {
    std::string a;
    std::string b;
};

// A block that differs, part by part.
struct SpelledBlock {
    std::size_t tensor;  // in diff.tensors
    std::uint64_t block;
    std::vector<PartChange> parts;
};

struct Comparison {
    Names names;
    Diff diff;
    std::optional<TokenizerChange> tokenizer{};         // where its lists differ
    std::vector<TensorPair> pairs{};                    // all that have values in both; none where no tensor differs
    std::vector<ValueDifference> values{};              // of `pairs`
    std::vector<std::optional<std::size_t>> numbers{};  // of each of diff.tensors: which of `pairs` it is
    std::vector<SpelledBlock> blocks{};                 // where they were asked for
    std::uint64_t sample = 0;                           // 0: all weights were looked at
    std::string imatrix_a{};                            // that A was quantized with; empty where it names none
    std::string imatrix_b{};

    // Null where there are none.
    const ValueDifference* values_of(std::size_t tensor) const {
        const auto number = numbers[tensor];
        return number ? &values[*number] : nullptr;
    }
};

// With a progress bar. CANCELLED where a stop was requested.
Result<Comparison> compare_models(const Model& a, const Model& b, Names names, const Options& options,
                                  const Imatrix* imatrix, const std::stop_token& stop);

// The indices in diff.tensors of those that have values, worst first; NaN and infinities before all.
std::vector<std::size_t> by_error(const Comparison& comparison);

// Those that differ, for --fail-above; one that is only renamed is as it was.
std::vector<Judged> judged(const Comparison& comparison);

// The sums of all tensors that both models have, equal ones too: the error that rank_models() has for a model and its base.
ErrorSums whole(const Comparison& comparison);

}  // namespace ggufkit::tool::diff
