// Two quantizations of one base, side by side.
#pragma once

#include <ggufkit/diff.hpp>
#include <optional>
#include <string>

#include "common/console.hpp"
#include "options.hpp"

namespace ggufkit::diff {

struct Contender {
    std::string name;
    std::uint64_t bytes = 0;  // of tensor data
    ErrorSums total{};
    std::uint64_t wins = 0;  // tensors that are nearer to the base than the other's
};

struct Duel {
    std::string base;
    Contender a;
    Contender b;
    Ranking ranking;
    bool weighted = false;  // by an importance matrix: then the weighted error decides
    std::uint64_t sample = 0;

    // The number that decides, where it is known.
    double error(const ErrorSums& sums) const {
        return weighted ? sums.weighted_relative_rmse().value_or(sums.relative_rmse()) : sums.relative_rmse();
    }
    // Negative where A is nearer, 0 where both are as far.
    double verdict() const { return error(a.total) - error(b.total); }
    bool same() const;  // both are the base
};

// With a progress bar.
Result<Duel> fight(const Model& base, const Model& a, const Model& b, const Options& options, const Imatrix* imatrix);

void print_duel(cli::Console& console, const Duel& duel, bool in_full);
std::string duel_json(const Duel& duel);  // spec/json.md

}  // namespace ggufkit::diff
