#include "stats.hpp"

#include <algorithm>
#include <cmath>

#include "common/show.hpp"
#include "common/table.hpp"
#include "common/text.hpp"
#include "core/text.hpp"
#include "tally.hpp"

namespace ggufkit::tool::info {

namespace {

std::string number_text(double number) { return fmt::format("{:.3g}", number); }
std::string count_text(std::uint64_t count) { return count == 0 ? "" : grouped(count); }

// `cells` characters of eight heights, for the middle of the histogram.
std::string sparkline(const WeightHistogram& histogram, std::size_t cells) {
    constexpr std::string_view heights[]{" ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    const std::size_t each = WeightHistogram::bins / cells;
    std::vector<std::uint64_t> sums(cells);
    for (std::size_t i = 0; i < WeightHistogram::bins; ++i) sums[i / each] += histogram.counts[i];
    const double most = static_cast<double>(std::max(std::ranges::max(sums), std::uint64_t{1}));
    std::string text;
    for (const std::uint64_t sum : sums) {
        // Rounded up: what is there can be seen.
        const auto height = static_cast<std::size_t>(std::ceil(8 * static_cast<double>(sum) / most));
        text += heights[height];
    }
    text.erase(text.find_last_not_of(' ') + 1);
    return text;
}

// What is not as it should be, for a line; empty where all is well.
std::string scales_text(const TensorStats& stats) {
    std::string text;
    for (const ScaleStats& scale : stats.scales) {
        const auto add = [&](std::uint64_t count, std::string_view what) {
            if (count != 0)
                text += fmt::format("{}{}: {} {}", text.empty() ? "" : ", ", scale.field, grouped(count), what);
        };
        add(scale.numbers.nans, "NaN");
        add(scale.numbers.infinities, "infinite");
        add(scale.numbers.zeros, "zero");
        add(scale.subnormal, "subnormal");
    }
    return text;
}

void print_table(Console& console, const StatsView& view) {
    constexpr std::size_t narrow = 110;
    const bool wide = console.width().value_or(narrow) >= narrow;
    Table table({{.title = "TENSOR", .cut = Cut::middle},
                 {.title = "TYPE"},
                 {.title = "MIN", .right = true},
                 {.title = "MAX", .right = true},
                 {.title = "MEAN", .right = true},
                 {.title = "RMS", .right = true},
                 {.title = "KURT", .right = true, .cut = Cut::spare},
                 {.title = "HISTOGRAM", .cut = Cut::spare, .style = Style::cyan},
                 {.title = "NAN", .right = true, .style = Style::red},
                 {.title = "INF", .right = true, .style = Style::red},
                 {.title = "OUTLIERS", .right = true, .cut = Cut::spare},
                 {.title = "ZEROS", .right = true, .cut = Cut::spare},
                 {.title = "SCALES", .cut = Cut::end, .style = Style::yellow}});
    for (std::size_t i = 0; i < view.tensors.size(); ++i) {
        const TensorInfo& info = *view.tensors[i].info;
        const TensorStats& stats = view.stats[i];
        const NumberStats& weights = stats.weights;
        table.add({printable(info.name), type_text(info), number_text(weights.min), number_text(weights.max),
                   wide ? number_text(weights.mean) : "", number_text(weights.rms),
                   weights.kurtosis ? fmt::format("{:.1f}", *weights.kurtosis) : "-",
                   sparkline(stats.histogram, wide ? 16 : 8), count_text(weights.nans), count_text(weights.infinities),
                   count_text(stats.outliers), wide ? count_text(weights.zeros) : "", scales_text(stats)});
    }
    table.print(console, console.width());
}

void print_total(Console& console, const StatsView& view) {
    std::uint64_t weights = 0, nans = 0, infinities = 0, outliers = 0;
    for (const TensorStats& stats : view.stats) {
        weights += stats.weights.count;
        nans += stats.weights.nans;
        infinities += stats.weights.infinities;
        outliers += stats.outliers;
    }
    const std::string faults =
        nans + infinities == 0
            ? console.paint(Style::green, "all finite")
            : console.paint(Style::red, fmt::format("{} NaN, {} infinite", grouped(nans), grouped(infinities)));
    constexpr std::size_t usual_width = 80;
    const bool narrow = console.width().value_or(usual_width) < usual_width;
    console.out.print("\n{}, {}, {};{}{} (beyond {} local rms)\n", counted(view.tensors.size(), "tensor"),
                      counted(weights, "weight"), faults, narrow ? '\n' : ' ', counted(outliers, "outlier"),
                      outlier_limit);
}

// ---------------------------------------------------------------- one tensor in full

std::string share_text(std::uint64_t part, std::uint64_t all) {
    if (part == 0 || all == 0) return grouped(part);
    return fmt::format("{} ({:.3g} %)", grouped(part), 100 * static_cast<double>(part) / static_cast<double>(all));
}

void print_scales(Console& console, const TensorStats& stats) {
    Table table({{.title = "SCALE"},
                 {.title = "COUNT", .right = true},
                 {.title = "MIN", .right = true},
                 {.title = "MAX", .right = true},
                 {.title = "RMS", .right = true},
                 {.title = "ZERO", .right = true},
                 {.title = "SUBNORMAL", .right = true, .cut = Cut::spare},
                 {.title = "NAN", .right = true},
                 {.title = "INF", .right = true}},
                "  ");
    for (const ScaleStats& scale : stats.scales) {
        const NumberStats& numbers = scale.numbers;
        table.add({scale.field, grouped(numbers.count), number_text(numbers.min), number_text(numbers.max),
                   number_text(numbers.rms), grouped(numbers.zeros), grouped(scale.subnormal), grouped(numbers.nans),
                   grouped(numbers.infinities)});
    }
    if (table.empty()) return;
    console.out.write("\n");
    table.print(console, console.width());
}

void print_histogram(Console& console, const TensorStats& stats) {
    constexpr std::size_t longest = 40, beside = 28;  // columns
    const auto cells =
        static_cast<int>(std::clamp(console.width().value_or(longest + beside), beside, longest + beside) - beside);
    const WeightHistogram& histogram = stats.histogram;
    std::uint64_t most = std::max({histogram.below, histogram.above, std::uint64_t{1}});
    for (std::size_t i = 0; i < WeightHistogram::bins; i += 2)
        most = std::max(most, histogram.counts[i] + histogram.counts[i + 1]);
    console.out.write("\n");
    Table table({{.title = "FROM", .right = true},
                 {.title = "SPREADS", .right = true},
                 {.title = "WEIGHTS", .right = true},
                 {.style = Style::cyan}},
                "  ");
    const auto add = [&](const std::string& from, const std::string& spreads, std::uint64_t count) {
        table.add({from, spreads, grouped(count), bar(static_cast<double>(count) / static_cast<double>(most), cells)});
    };
    if (histogram.below != 0) add("below", "", histogram.below);
    constexpr int middle = WeightHistogram::bins / 2;
    for (int i = 0; i < WeightHistogram::bins; i += 2) {
        const auto bin = static_cast<std::size_t>(i);
        add(number_text(double{histogram.low} + i * double{histogram.width}),
            fmt::format("{:+.1f}", (i - middle) / 4.0), histogram.counts[bin] + histogram.counts[bin + 1]);
    }
    if (histogram.above != 0) add("above", "", histogram.above);
    table.print(console, console.width());
    if (histogram.total() < stats.weights.finite())
        console.out.print("  of {} weights, evenly spread\n", grouped(histogram.total()));
}

void print_in_full(Console& console, const TensorInfo& info, const TensorStats& stats) {
    const NumberStats& weights = stats.weights;
    console.out.print("{}  {}  {}\n\n", console.paint(Style::bold, printable(info.name)), type_text(info),
                      shape_text(info.shape()));
    const auto line = [&](std::string_view what, std::string_view value) {
        console.out.print("  {:<10} {}\n", what, value);
    };
    const auto shape = [](const std::optional<double>& moment) {
        return moment ? fmt::format("{:.4g}", *moment) : "-";
    };
    line("weights", grouped(weights.count));
    line("range", fmt::format("{:.6g} to {:.6g}", weights.min, weights.max));
    line("mean", fmt::format("{:.6g}", weights.mean));
    line("rms", fmt::format("{:.6g}", weights.rms));
    line("spread", fmt::format("{:.6g} (standard deviation)", weights.spread));
    line("skewness", shape(weights.skewness));
    line("kurtosis", fmt::format("{} (3: as a normal distribution)", shape(weights.kurtosis)));
    line("zeros", share_text(weights.zeros, weights.count));
    line("NaN", share_text(weights.nans, weights.count));
    line("infinite", share_text(weights.infinities, weights.count));
    line("outliers", fmt::format("{}, beyond {} rms of the 4,096 weights around",
                                 share_text(stats.outliers, weights.count), outlier_limit));
    print_scales(console, stats);
    print_histogram(console, stats);
}

void write_numbers(JsonWriter& json, const NumberStats& numbers) {
    json.field("count", numbers.count)
        .field("zeros", numbers.zeros)
        .field("nans", numbers.nans)
        .field("infinities", numbers.infinities)
        .field("min", numbers.min)
        .field("max", numbers.max)
        .field("mean", numbers.mean)
        .field("rms", numbers.rms)
        .field("spread", numbers.spread);
    const auto moment = [&](std::string_view name, const std::optional<double>& value) {
        json.key(name);
        if (value) {
            json.value(*value);
        } else {
            json.null();
        }
    };
    moment("skewness", numbers.skewness);
    moment("kurtosis", numbers.kurtosis);
}

}  // namespace

void print_stats(Console& console, const StatsView& view, bool in_full) {
    if (!in_full && view.tensors.size() != 1) {
        print_table(console, view);
        return print_total(console, view);
    }
    for (std::size_t i = 0; i < view.tensors.size(); ++i) {
        if (i != 0) console.out.write("\n");
        print_in_full(console, *view.tensors[i].info, view.stats[i]);
    }
}

void write_stats(JsonWriter& json, const StatsView& view) {
    json.key("stats").begin_array();
    for (std::size_t i = 0; i < view.tensors.size(); ++i) {
        const TensorInfo& info = *view.tensors[i].info;
        const TensorStats& stats = view.stats[i];
        json.begin_object().field("name", info.name).field("type", type_text(info)).field("shape", info.shape());
        write_numbers(json, stats.weights);
        json.field("outliers", stats.outliers).key("histogram").begin_object();
        json.field("low", stats.histogram.low)
            .field("width", stats.histogram.width)
            .field("below", stats.histogram.below)
            .field("counts", std::span<const std::uint64_t>(stats.histogram.counts))
            .field("above", stats.histogram.above)
            .end_object();
        json.key("scales").begin_array();
        for (const ScaleStats& scale : stats.scales) {
            json.begin_object().field("field", scale.field);
            write_numbers(json, scale.numbers);
            json.field("subnormal", scale.subnormal).end_object();
        }
        json.end_array().end_object();
    }
    json.end_array();
}

}  // namespace ggufkit::tool::info
