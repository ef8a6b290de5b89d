#include <algorithm>
#include <cmath>
#include <functional>

#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "duel.hpp"
#include "numbers.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

constexpr std::size_t most_rows = 15;

// What says least gives way to the names.
bool is_narrow(const Console& console) { return console.width().value_or(80) < 72; }

// What the winner of a line gains: "A by 12 %".
Cell winner(double error_a, double error_b) {
    if (error_a == error_b) return {"", Style::dim};
    const double less = 1 - std::min(error_a, error_b) / std::max(error_a, error_b);
    const bool a = error_a < error_b;
    return {fmt::format("{} by {}", a ? "A" : "B", percent(less)), a ? Style::cyan : Style::yellow};
}

std::string bits(const Contender& one) {
    const double weights = static_cast<double>(one.total.elements + one.total.not_finite);
    return weights == 0 ? "" : fmt::format("{:.2f}", 8 * static_cast<double>(one.bytes) / weights);
}

void print_contenders(Console& console, const Duel& duel) {
    Table table({{},
                 {.title = "MODEL", .cut = Cut::middle},
                 {.title = "SIZE", .right = true},
                 {.title = "BITS", .right = true},
                 {.title = "ERROR", .right = true},
                 {.title = "WEIGHTED", .right = true},
                 {.title = "SQNR", .right = true},
                 {.title = "NEARER IN", .right = true}});
    const bool narrow = is_narrow(console);
    for (const auto& [letter, one] : {std::pair("A", &duel.a), std::pair("B", &duel.b)}) {
        const auto weighted = one->total.weighted_relative_rmse();
        table.add({letter, printable(one->name), human_bytes(one->bytes), narrow ? "" : bits(*one),
                   error_text(one->total), weighted ? percent(*weighted) : "",
                   narrow ? "" : decibel(one->total.sqnr_db()), counted(one->wins, "tensor")});
    }
    console.out.print("base: {}\n\n", printable(duel.base));
    table.print(console, console.width());
}

// `names` of rows whose errors are `of_a` and `of_b`.
void print_totals(Console& console, const Duel& duel, Grouping grouping, std::string_view title) {
    const auto of_a = totals(duel.ranking.pairs_a, duel.ranking.a, grouping);
    const auto of_b = totals(duel.ranking.pairs_b, duel.ranking.b, grouping);
    Table table({{},
                 {.title = title, .cut = Cut::middle},
                 {.title = "TENSORS", .right = true},
                 {.title = "ERROR A", .right = true},
                 {.title = "ERROR B", .right = true},
                 {.title = "NEARER", .cut = Cut::spare}});
    for (std::size_t i = 0; i < std::min(of_a.size(), 2 * most_rows); ++i) {
        const double a = duel.error(of_a[i].sums), b = duel.error(of_b[i].sums);
        if (a == 0 && b == 0) continue;
        table.add({"", printable(of_a[i].name), grouped(of_a[i].tensors), percent(a), percent(b), winner(a, b)});
    }
    if (table.empty()) return;
    console.out.write("\n");
    table.print(console, console.width());
}

// The tensors in which they are furthest from each other first.
void print_tensors(Console& console, const Duel& duel, bool in_full) {
    const auto& [pairs_a, pairs_b, a, b, not_compared, not_in_base] = duel.ranking;
    std::vector<std::size_t> order;
    for (std::size_t i = 0; i < a.size(); ++i) {
        if (duel.error(a[i].sums) != duel.error(b[i].sums)) order.push_back(i);
    }
    if (order.empty()) return;
    // By how much error one has more than the other, over all its weights.
    std::ranges::stable_sort(order, std::greater(),
                             [&](std::size_t i) { return std::abs(a[i].sums.e2 - b[i].sums.e2); });
    Table table({{},
                 {.title = "TENSOR", .cut = Cut::middle},
                 {.title = "A"},
                 {.title = "B"},
                 {.title = "ERROR A", .right = true},
                 {.title = "ERROR B", .right = true},
                 {.title = "NEARER", .cut = Cut::spare}});
    const bool narrow = is_narrow(console);
    const std::size_t shown = in_full ? order.size() : std::min(order.size(), most_rows);
    for (std::size_t row = 0; row < shown; ++row) {
        const std::size_t i = order[row];
        const double error_a = duel.error(a[i].sums), error_b = duel.error(b[i].sums);
        table.add({"",
                   printable(pairs_a[i].a->info->name),
                   narrow ? "" : type_text(*pairs_a[i].b->info),
                   narrow ? "" : type_text(*pairs_b[i].b->info),
                   {percent(error_a), style_of(error_a)},
                   {percent(error_b), style_of(error_b)},
                   winner(error_a, error_b)});
    }
    console.out.write("\n");
    table.print(console, console.width());
    print_more(console, order.size() - shown, "tensor");
}

std::string size_difference(const Contender& winner, const Contender& other) {
    if (winner.bytes == other.bytes) return "of the same size";
    const double share = static_cast<double>(winner.bytes) / static_cast<double>(other.bytes) - 1;
    return fmt::format("{} {}", percent(std::abs(share)), share < 0 ? "smaller" : "larger");
}

// What is said of a duel: "B is nearer to the base: error 5 % against 6 %, …".
struct Verdict {
    std::string who;
    std::string why;
    Style style = Style::bold;
};

// An error that looks well says little where weights are no numbers any more.
std::string broken(const Duel& duel) {
    const auto text = [](std::string_view letter, const Contender& one) {
        return one.total.not_finite == 0 ? "" : fmt::format("; of {}{}", letter, left_out_text(one.total).substr(1));
    };
    return text("A", duel.a) + text("B", duel.b);
}

void print_left_out(Console& console, std::string_view why, const std::vector<std::string>& names) {
    if (names.empty()) return;
    print_sentence(console, fmt::format("{}: {}, {}{}", why, counted(names.size(), "tensor"), printable(names.front()),
                                        names.size() > 1 ? "…" : ""));
}

Verdict verdict_of(const Duel& duel) {
    const double verdict = duel.verdict();
    if (duel.same()) return {"the same", "A and B hold the weights of the base", Style::green};
    if (verdict == 0) return {"A and B are as far from the base", "error " + percent(duel.error(duel.a.total))};
    const auto& [winner, other, letter] =
        verdict < 0 ? std::tuple(&duel.a, &duel.b, "A") : std::tuple(&duel.b, &duel.a, "B");
    const double near = duel.error(winner->total), far = duel.error(other->total);
    return {fmt::format("{} is nearer to the base", letter),
            fmt::format("{}error {} against {}, {} less; it is {}{}", duel.weighted ? "weighted " : "", percent(near),
                        percent(far), percent(1 - near / far), size_difference(*winner, *other), broken(duel))};
}

}  // namespace

void print_brief(Console& console, const Duel& duel) {
    const auto [who, why, style] = verdict_of(duel);
    console.out.print("{}: {}\n", console.paint(style, who), why);
    print_duel_key_names(console, duel);
}

void print_duel(Console& console, const Duel& duel, bool in_full) {
    print_contenders(console, duel);
    print_tensors(console, duel, in_full);
    print_totals(console, duel, Grouping::part, "PART");
    const auto layers = [](const auto& pairs, const auto& values) { return totals(pairs, values, Grouping::layer); };
    print_layers(console, {{"A by layer  ", layers(duel.ranking.pairs_a, duel.ranking.a)},
                           {"B by layer  ", layers(duel.ranking.pairs_b, duel.ranking.b)}});
    print_duel_keys(console, duel, in_full);
    console.out.write("\n");
    print_left_out(console, "not compared, as A or B lacks them or has another shape", duel.ranking.not_compared);
    print_left_out(console, "not in the base", duel.ranking.not_in_base);
    const auto [who, why, style] = verdict_of(duel);
    print_sentence(console, who + ": " + why, style, who.size());
    print_sample(console, duel.sample);
}

}  // namespace ggufkit::tool::diff
