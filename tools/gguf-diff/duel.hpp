// Two quantizations of one base, side by side.
#pragma once

#include <ggufkit/diff/diff.hpp>
#include <limits>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "common/console.hpp"
#include "limits.hpp"
#include "numbers.hpp"
#include "options.hpp"

namespace ggufkit::tool::diff {

struct Contender {
    std::string name;
    std::uint64_t bytes = 0;  // of tensor data
    ErrorSums total{};
    std::string imatrix{};   // that it was quantized with; empty where it names none
    std::uint64_t wins = 0;  // tensors that are nearer to the base than the other's
};

struct Duel {
    std::string base;
    Contender a;
    Contender b;
    Ranking ranking;
    std::vector<KeyOfThree> keys;
    bool weighted = false;  // by an importance matrix: then the weighted error decides
    std::uint64_t sample = 0;

    // The number that decides: infinite where no pair of weights is finite.
    double error(const ErrorSums& sums) const {
        if (!is_known(sums)) return std::numeric_limits<double>::infinity();
        return weighted ? sums.weighted_relative_rmse().value_or(sums.relative_rmse()) : sums.relative_rmse();
    }
    // Negative where A is nearer, 0 where both are as far.
    double verdict() const {
        const double of_a = error(a.total), of_b = error(b.total);
        return of_a == of_b ? 0 : of_a - of_b;
    }
    bool same() const;  // both are the base
};

// With a progress bar. CANCELLED where a stop was requested.
Result<Duel> fight(const Model& base, const Model& a, const Model& b, const Options& options, const Imatrix* imatrix,
                   const std::stop_token& stop);

// For --fail-above: the tensors of A, or of B, that are not those of the base.
std::vector<Judged> judged(const Duel& duel, const std::vector<ValueDifference>& side);

void print_duel(Console& console, const Duel& duel, bool in_full);
void print_brief(Console& console, const Duel& duel);
void write_json(Output& out, const Duel& duel);  // spec/json.md

// Parts of these: the keys that are not those of the base, but for what every quantization changes.
void print_duel_keys(Console& console, const Duel& duel, bool in_full);
void print_duel_key_names(Console& console, const Duel& duel);  // a line a model

}  // namespace ggufkit::tool::diff
