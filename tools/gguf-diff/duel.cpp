#include "duel.hpp"

#include "common/progress.hpp"
#include "common/show.hpp"

namespace ggufkit::tool::diff {

namespace {

Contender contender(const std::string& file, const Model& model, const std::vector<TensorPair>& pairs,
                    const std::vector<ValueDifference>& values) {
    Contender one{.name = shown(file), .total = totals(pairs, values, Grouping::whole).front().sums};
    for (const ModelTensor& tensor : model.tensors()) one.bytes += tensor.info->bytes().value_or(0);
    return one;
}

}  // namespace

bool Duel::same() const {
    return ranking.not_compared.empty() && ranking.not_in_base.empty() && a.total.equal_share() == 1 &&
           b.total.equal_share() == 1;
}

Result<Duel> fight(const Model& base, const Model& a, const Model& b, const Options& options, const Imatrix* imatrix,
                   const std::stop_token& stop) {
    auto ranking = [&] {
        ProgressBar bar;
        return rank_models(base, a, b,
                           {.work = {.threads = options.threads,
                                     .progress = [&](const Progress& now) { bar.update(now); },
                                     .stop = stop},
                            .imatrix = imatrix,
                            .sample = options.sample});
    }();
    if (!ranking) return fail(std::move(ranking).error());
    Duel duel{.base = shown(options.a),
              .a = contender(options.b, a, ranking->pairs_a, ranking->a),
              .b = contender(options.c, b, ranking->pairs_b, ranking->b),
              .ranking = std::move(*ranking),
              .keys = compare_metadata(base.header(), a.header(), b.header(),
                                       {.ignored_keys = options.ignored_keys, .tolerance = options.tolerance}),
              .sample = options.sample};
    // A matrix that only knows tensors in which nothing was lost decides nothing.
    duel.weighted = duel.a.total.ie2 > 0 || duel.b.total.ie2 > 0;
    for (std::size_t i = 0; i < duel.ranking.a.size(); ++i) {
        const double error_a = duel.error(duel.ranking.a[i].sums), error_b = duel.error(duel.ranking.b[i].sums);
        duel.a.wins += error_a < error_b ? 1 : 0;
        duel.b.wins += error_b < error_a ? 1 : 0;
    }
    return duel;
}

std::vector<Judged> judged(const Duel& duel, const std::vector<ValueDifference>& side) {
    std::vector<Judged> tensors;
    for (std::size_t i = 0; i < side.size(); ++i) {
        if (side[i].sums.equal_share() < 1) tensors.push_back({duel.ranking.pairs_a[i].a->info->name, &side[i].sums});
    }
    return tensors;
}

}  // namespace ggufkit::tool::diff
