#include <algorithm>
#include <cmath>
#include <ggufkit/diff/diff.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <optional>

#include "core/parallel.hpp"
#include "core/try.hpp"
#include "quant/measure/error_meter.hpp"
#include "tensor/reader.hpp"
#include "tensor/scale.hpp"

namespace ggufkit {

namespace {

using tensor::Reader;

constexpr std::uint64_t run_elements = quant::ErrorMeter::longest;
constexpr std::uint64_t piece_runs = 512;

// A pair, cut into runs: those of a row, where columns have weights, or of all rows as one.
struct Task {
    TensorPair pair;
    std::optional<Reader> a{};
    std::optional<Reader> b{};            // none where the values are known to be the same
    std::span<const float> importance{};  // ne[0] for each matrix, or none
    std::uint64_t row = 0;                // elements
    std::uint64_t runs_per_row = 0;
    std::uint64_t runs = 0;
    std::uint64_t looked_at = 0;  // of `runs`
    std::uint64_t seed = 0;

    bool sampled() const { return looked_at < runs; }
};

std::uint64_t elements_of(const ModelTensor& tensor) { return tensor.info->elements().value_or(0); }

std::uint64_t hash_of(std::string_view name) {
    std::uint64_t hash = 0xcbf29ce484222325;
    for (const char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    return hash;
}

// SplitMix64.
std::uint64_t random(std::uint64_t seed) {
    seed += 0x9e3779b97f4a7c15;
    seed = (seed ^ seed >> 30) * 0xbf58476d1ce4e5b9;
    seed = (seed ^ seed >> 27) * 0x94d049bb133111eb;
    return seed ^ seed >> 31;
}

Task plan_task(const TensorPair& pair, const ValueOptions& options) {
    const TensorInfo& info = *pair.a->info;
    const std::uint64_t elements = elements_of(*pair.a);
    Task task{.pair = pair};
    if (options.imatrix != nullptr) task.importance = options.imatrix->find(info.name);
    if (task.importance.size() != info.ne[0] * info.ne[2] * info.ne[3]) task.importance = {};
    task.row = task.importance.empty() ? elements : info.ne[0];
    task.runs_per_row = (task.row + run_elements - 1) / run_elements;
    task.runs = elements == 0 ? 0 : elements / task.row * task.runs_per_row;
    task.looked_at = options.sample == 0 ? task.runs : std::min(task.runs, std::max<std::uint64_t>(options.sample, 2));
    task.seed = hash_of(info.name);
    return task;
}

// The place of run number `index` of those that are looked at.
std::uint64_t run_number(const Task& task, std::uint64_t index) {
    if (!task.sampled()) return index;
    // One from each of equal parts; 128 bits, as runs may be many.
    const auto edge = [&](std::uint64_t part) {
        return static_cast<std::uint64_t>(static_cast<unsigned __int128>(part) * task.runs / task.looked_at);
    };
    const std::uint64_t begin = edge(index);
    return begin + random(task.seed + index) % (edge(index + 1) - begin);
}

// ---------------------------------------------------------------- data

struct Run {
    tensor::Range range;
    std::span<const float> importance;
};

Run run_of(const Task& task, std::uint64_t number) {
    const std::uint64_t row = number / task.runs_per_row, column = number % task.runs_per_row * run_elements;
    const std::uint64_t size = std::min(run_elements, task.row - column);
    const tensor::Range range{row * task.row + column, size};
    if (task.importance.empty()) return {range, {}};
    const std::uint64_t matrix = row / task.pair.a->info->ne[1];
    return {range, task.importance.subspan(matrix * task.row + column, size)};
}

Result<Task> prepare(const Model& a, const Model& b, const TensorPair& pair, const ValueOptions& options) {
    Task task = plan_task(pair, options);
    std::vector<tensor::Range> ranges;
    if (task.sampled()) {
        ranges.reserve(task.looked_at);
        for (std::uint64_t i = 0; i < task.looked_at; ++i) ranges.push_back(run_of(task, run_number(task, i)).range);
    }
    TRY_LET(auto reader_a, Reader::open(a, *pair.a, {.scaled = true, .ranges = ranges}));
    task.a = std::move(reader_a);
    if (pair.same) return task;
    TRY_LET(auto reader_b, Reader::open(b, *pair.b, {.scaled = true, .ranges = ranges}));
    task.b = std::move(reader_b);
    return task;
}

// ---------------------------------------------------------------- one piece

struct Sums {
    ErrorSums errors;
    // Over runs, for the variance between them.
    double e2_e2 = 0;
    double e2_w2 = 0;
    double w2_w2 = 0;

    void add(const Sums& next) {
        errors.add(next.errors);
        e2_e2 += next.e2_e2;
        e2_w2 += next.e2_w2;
        w2_w2 += next.w2_w2;
    }
};

// The memory of one worker.
struct Memory {
    tensor::Workspace a;
    tensor::Workspace b;
};

Result<void> measure(const Task& task, const Run& run, Memory& memory, quant::ErrorMeter& meter) {
    const auto w = task.a->values(run.range, memory.a);
    if (!w) return fail(w.error());
    TRY_LET(const auto v, task.b ? task.b->values(run.range, memory.b) : w);
    meter.add(*w, v, run.importance);
    return {};
}

Result<Sums> measure_piece(const Task& task, std::uint64_t first, std::uint64_t last, Memory& memory) {
    const tensor::Range begin = run_of(task, run_number(task, first)).range;
    const tensor::Range end = run_of(task, run_number(task, last - 1)).range;
    const tensor::Range all{begin.first, end.first + end.count - begin.first};
    const tensor::Window window_a(*task.a, all), window_b(task.b ? *task.b : *task.a, all);
    quant::ErrorMeter meter;
    for (std::uint64_t i = first; i < last; ++i) {
        TRY(measure(task, run_of(task, run_number(task, i)), memory, meter));
    }
    return Sums{.errors = meter.sums()};
}

Result<Sums> measure_sample(const Task& task, std::uint64_t first, std::uint64_t last, Memory& memory) {
    Sums sums;
    for (std::uint64_t i = first; i < last; ++i) {
        const Run run = run_of(task, run_number(task, i));
        quant::ErrorMeter meter;
        TRY(measure(task, run, memory, meter));
        const ErrorSums one = meter.sums();
        const bool greater = one.max_error > sums.errors.max_error;
        sums.add({one, one.e2 * one.e2, one.e2 * one.w2, one.w2 * one.w2});
        if (greater) sums.errors.max_at = run.range.first + one.max_at;
    }
    return sums;
}

// ---------------------------------------------------------------- all pieces

struct Piece {
    std::size_t task;
    std::uint64_t first;  // of the runs that are looked at
    std::uint64_t last;
};

std::vector<Piece> cut(const std::vector<Task>& tasks) {
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        for (std::uint64_t run = 0; run < tasks[i].looked_at; run += piece_runs) {
            pieces.push_back({i, run, std::min(run + piece_runs, tasks[i].looked_at)});
        }
    }
    return pieces;
}

Interval interval_of(const Task& task, const Sums& sums) {
    const auto n = static_cast<double>(task.looked_at), all = static_cast<double>(task.runs);
    const ErrorSums& errors = sums.errors;
    if (errors.w2 == 0) return {errors.relative_rmse(), errors.relative_rmse()};
    const double ratio = errors.e2 / errors.w2;
    const double squares = sums.e2_e2 - 2 * ratio * sums.e2_w2 + ratio * ratio * sums.w2_w2;
    const double variance = std::max(0.0, squares) / (n - 1);
    const double spread = 1.96 * std::sqrt((1 - n / all) * variance / n) / (errors.w2 / n);
    return {std::sqrt(std::max(0.0, ratio - spread)), std::sqrt(ratio + spread)};
}

// Takes in what follows; places in a sample are those of the tensor already.
void take_in(const Task& task, Sums& all, const Sums& next) {
    const bool greater = next.errors.max_error > all.errors.max_error;
    all.add(next);
    if (greater && task.sampled()) all.errors.max_at = next.errors.max_at;
}

}  // namespace

bool is_scale(const Model& model, const ModelTensor& tensor) { return tensor::is_scale(model, tensor); }

bool has_values_to_compare(const TensorPair& pair) {
    const auto decodes = [](const ModelTensor& tensor) {
        return tensor.info->format != nullptr && can_dequantize(tensor.info->format->type());
    };
    return pair.a != nullptr && pair.b != nullptr && pair.a->info->ne == pair.b->info->ne && decodes(*pair.a) &&
           decodes(*pair.b);
}

Result<std::vector<ValueDifference>> compare_values(const Model& a, const Model& b, std::span<const TensorPair> pairs,
                                                    const ValueOptions& options) {
    std::vector<Task> tasks;
    std::uint64_t total = 0, done = 0;
    for (const TensorPair& pair : pairs) {
        TRY_LET(auto task, prepare(a, b, pair, options));
        total += task.looked_at * run_elements;
        tasks.push_back(std::move(task));
    }
    const std::vector<Piece> pieces = cut(tasks);
    const unsigned workers = worker_count(pieces.size(), options.work.threads);
    std::vector<Sums> made(std::size_t{4} * workers), sums(tasks.size());
    std::vector<Memory> memory(workers);
    auto measured = parallel_in_order(
        pieces.size(), workers, made.size(), options.work.stop,
        [&](std::size_t i, std::size_t slot, unsigned worker) -> Result<void> {
            const Piece& piece = pieces[i];
            const Task& task = tasks[piece.task];
            TRY_LET(auto result, task.sampled() ? measure_sample(task, piece.first, piece.last, memory[worker])
                                                : measure_piece(task, piece.first, piece.last, memory[worker]));
            made[slot] = result;
            return {};
        },
        [&](std::size_t i, std::size_t slot) -> Result<void> {
            take_in(tasks[pieces[i].task], sums[pieces[i].task], made[slot]);
            if (options.work.progress)
                options.work.progress({done += (pieces[i].last - pieces[i].first) * run_elements, total});
            return {};
        });
    if (!measured) return fail(std::move(measured).error());
    for (const Model* model : {&a, &b}) {
        TRY(model->check_unchanged());
    }
    std::vector<ValueDifference> differences;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
        ValueDifference difference{.sums = sums[i].errors, .sampled = tasks[i].sampled()};
        if (difference.sampled) difference.relative_rmse = interval_of(tasks[i], sums[i]);
        differences.push_back(difference);
    }
    return differences;
}

}  // namespace ggufkit
