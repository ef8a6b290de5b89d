// Tensors: what they are, how far their values are apart, by layer and by part.
#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <utility>

#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "numbers.hpp"
#include "signs.hpp"
#include "views.hpp"

namespace ggufkit::tool::diff {

namespace {

constexpr std::size_t most_rows = 20;

std::string types(const TensorChange& change) {
    const TensorInfo& a = *(change.a == nullptr ? change.b : change.a)->info;
    const TensorInfo& b = *(change.b == nullptr ? change.a : change.b)->info;
    return arrow(type_text(a), type_text(b));
}

std::string shapes(const TensorChange& change) {
    const TensorInfo& a = *(change.a == nullptr ? change.b : change.a)->info;
    if (!change.reshaped) return shape_text(a.shape());
    return arrow(shape_text(a.shape()), shape_text(change.b->info->shape()));
}

Cell sign_of(const TensorChange& change) {
    if (change.renamed) return {">", Style::cyan};
    return sign(change.a != nullptr, change.b != nullptr);
}

// ---------------------------------------------------------------- those without values

void print_structure(Console& console, const Comparison& comparison, bool in_full) {
    Table table({{}, {.title = "TENSOR", .cut = Cut::middle}, {.title = "TYPE"}, {.title = "SHAPE"}});
    std::size_t count = 0;
    const auto& tensors = comparison.diff.tensors;
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        if (comparison.values_of(i) != nullptr) continue;
        if (++count > most_rows && !in_full) continue;
        const TensorChange& change = tensors[i];
        std::string name = printable(change.name);
        if (change.renamed) name += " → " + printable(change.b->info->name);
        table.add({sign_of(change), name, types(change), shapes(change)});
    }
    if (count == 0) return;
    console.out.write("\n");
    table.print(console, console.width());
    print_more(console, count - table.size(), "tensor");
}

// ---------------------------------------------------------------- those with values

std::string blocks_text(const TensorChange& change) {
    return change.blocks.differ == 0
               ? ""
               : fmt::format("{} of {}", grouped(change.blocks.differ), grouped(change.blocks.blocks));
}

Cell error_cell(const ErrorSums& sums) {
    return {error_text(sums), is_known(sums) ? style_of(sums.relative_rmse()) : Style::red};
}

Cell error_cell(const ValueDifference& values) {
    if (!values.sampled || !is_known(values.sums)) return error_cell(values.sums);
    return {fmt::format("{} to {} %", short_number(100 * values.relative_rmse.low),
                        short_number(100 * values.relative_rmse.high)),
            style_of(values.sums.relative_rmse())};
}

std::string weighted_text(const ErrorSums& sums) {
    const auto weighted = sums.weighted_relative_rmse();
    return weighted ? percent(*weighted) : "";
}

std::string cosine_text(const ErrorSums& sums) { return fmt::format("{:.6f}", sums.cosine()); }

void print_values(Console& console, const Comparison& comparison, bool in_full) {
    const auto order = by_error(comparison);
    if (order.empty()) return;
    Table table({{},
                 {.title = "TENSOR", .cut = Cut::middle},
                 {.title = "TYPE"},
                 {.title = "ERROR", .right = true},
                 {.title = "WEIGHTED", .right = true},
                 {.title = "SQNR", .right = true},
                 {.title = "MAX", .right = true},
                 {.title = "AT", .style = Style::dim},
                 {.title = "COSINE", .right = true},
                 {.title = "BIAS", .right = true},
                 {.title = "EQUAL", .right = true},
                 {.title = "BLOCKS"},
                 {.title = "NOT FINITE", .right = true}});
    // On a narrow screen what says least gives way to the name.
    const std::size_t width = console.width().value_or(1000);
    const auto from = [&](std::size_t least, std::string text) { return width >= least ? std::move(text) : ""; };
    const std::size_t shown = in_full ? order.size() : std::min(order.size(), most_rows);
    for (std::size_t row = 0; row < shown; ++row) {
        const TensorChange& change = comparison.diff.tensors[order[row]];
        const ValueDifference& values = *comparison.values_of(order[row]);
        const ErrorSums& sums = values.sums;
        const bool same = sums.e2 == 0;
        const auto known = [&](std::string text) { return is_known(sums) ? std::move(text) : ""; };
        table.add({sign_of(change), printable(change.name), types(change), error_cell(values), weighted_text(sums),
                   from(64, known(decibel(sums.sqnr_db()))), from(80, known(short_number(sums.max_error))),
                   from(110, same ? "" : place(sums.max_at, *change.a->info)), from(110, known(cosine_text(sums))),
                   from(120, known(short_number(sums.bias()))), from(80, equal_share(sums)),
                   from(100, blocks_text(change)), sums.not_finite == 0 ? "" : grouped(sums.not_finite)});
    }
    console.out.write("\n");
    table.print(console, console.width());
    print_more(console, order.size() - shown, "tensor");
}

// ---------------------------------------------------------------- roll-ups

void print_parts(Console& console, const Comparison& comparison) {
    const auto parts = totals(comparison.pairs, comparison.values, Grouping::part);
    std::vector<const ValueTotal*> order;  // without parts in which nothing differs
    for (const ValueTotal& part : parts) {
        if (part.sums.equal_share() < 1) order.push_back(&part);
    }
    if (order.size() < 2) return;
    Table table({{},
                 {.title = "PART", .cut = Cut::middle},
                 {.title = "TENSORS", .right = true},
                 {.title = "WEIGHTS", .right = true},
                 {.title = "ERROR", .right = true},
                 {.title = "WEIGHTED", .right = true},
                 {.title = "SQNR", .right = true},
                 {.title = "EQUAL", .right = true}});
    std::ranges::stable_sort(order, std::greater(), [](const ValueTotal* part) { return part->sums.relative_rmse(); });
    const auto add = [&](std::string_view name, std::uint64_t tensors, const ErrorSums& sums) {
        table.add({"", name, grouped(tensors), human_count(sums.elements), error_cell(sums), weighted_text(sums),
                   is_known(sums) ? decibel(sums.sqnr_db()) : "", equal_share(sums)});
    };
    for (std::size_t i = 0; i < std::min(order.size(), most_rows); ++i) {
        add(printable(order[i]->name), order[i]->tensors, order[i]->sums);
    }
    add("all tensors", comparison.pairs.size(), whole(comparison));
    console.out.write("\n");
    table.print(console, console.width());
}

// The errors of layers that have one, and a finite one: the least, and the greatest.
std::pair<double, double> range_of(std::span<const ValueTotal> layers) {
    double low = std::numeric_limits<double>::infinity(), high = 0;
    for (const ValueTotal& layer : layers) {
        const double error = layer.sums.relative_rmse();
        if (!is_known(layer.sums) || error == 0 || !std::isfinite(error)) continue;
        low = std::min(low, error);
        high = std::max(high, error);
    }
    return {low, high};
}

// ---------------------------------------------------------------- blocks

std::string numbers_text(const PartChange& part) {
    std::string text;
    for (const auto& [index, a, b] : part.first) {
        if (!text.empty()) text += "  ";
        if (part.count > 1) text += fmt::format("[{}] ", index);
        text += fmt::format("{:.6g} → {:.6g}", a, b);
    }
    return part.differ > part.first.size() ? text + "  …" : text;
}

void print_blocks(Console& console, const Comparison& comparison) {
    for (const auto& [tensor, block, parts] : comparison.blocks) {
        console.out.print("\n{} {}, block {}\n", console.paint(Style::yellow, "~"),
                          console.paint(Style::bold, printable(comparison.diff.tensors[tensor].name)), grouped(block));
        Table table({{}, {.right = true}, {.cut = Cut::end}}, "   ");
        for (const PartChange& part : parts) {
            table.add({part.name, fmt::format("{} of {}", part.differ, part.count),
                       part.differ == 0 ? Cell("the same", Style::dim) : Cell(numbers_text(part))});
        }
        table.print(console, console.width());
    }
}

}  // namespace

void print_more(Console& console, std::size_t hidden, std::string_view what) {
    if (hidden > 0)
        console.out.print("   {}\n",
                          console.paint(Style::dim, "… and " + counted(hidden, what) + " more: --all shows them"));
}

namespace {

// `least` and `most`: the ends of the scale.
void print_strip(Console& console, const LayerStrip& strip, double least, double most) {
    const auto& [title, layers] = strip;
    const auto [low, high] = range_of(layers);
    const std::uint64_t last = std::stoull(layers.back().name);
    std::vector<double> errors(last + 1, -1);
    for (const ValueTotal& layer : layers) {
        if (is_known(layer.sums)) errors[std::stoull(layer.name)] = layer.sums.relative_rmse();
    }
    const std::size_t room =
        console.width().value_or(100) - std::min<std::size_t>(console.width().value_or(100) - 8, title.size() + 3);
    // A range of less than a factor of 2 is not blown up: small differences shall look small.
    for (std::size_t at = 0; at < errors.size(); at += room) {
        const auto part = std::span(errors).subspan(at, std::min(room, errors.size() - at));
        console.out.print("   {:<{}}{}\n", at == 0 ? title : "", title.size(),
                          heat_strip(console, part, least, std::max(most, 2 * least)));
    }
    console.out.print("   {:<{}}{} to {}, layers 0 to {}\n", "", title.size(), percent(low), percent(high), last);
}

// Whether there is something to draw: layers, of a number that is no nonsense (a file may claim any), and an error.
bool can_be_drawn(const LayerStrip& strip) {
    constexpr std::size_t most_layers = 4096;
    return strip.layers.size() >= 2 && std::stoull(strip.layers.back().name) < most_layers &&
           range_of(strip.layers).second > 0;
}

}  // namespace

void print_layers(Console& console, std::vector<LayerStrip> strips) {
    std::erase_if(strips, [](const LayerStrip& strip) { return !can_be_drawn(strip); });
    if (strips.empty()) return;
    auto [least, most] = range_of(strips.front().layers);
    for (const LayerStrip& strip : strips) {
        const auto [low, high] = range_of(strip.layers);
        least = std::min(least, low);
        most = std::max(most, high);
    }
    console.out.write("\n");
    for (const LayerStrip& strip : strips) print_strip(console, strip, least, most);
}

void print_tensors(Console& console, const Comparison& comparison, bool in_full) {
    print_structure(console, comparison, in_full);
    print_values(console, comparison, in_full);
    print_blocks(console, comparison);
    print_parts(console, comparison);
    print_layers(console, {{"error by layer  ", totals(comparison.pairs, comparison.values, Grouping::layer)}});
}

}  // namespace ggufkit::tool::diff
