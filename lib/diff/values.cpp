#include <algorithm>
#include <array>
#include <cmath>
#include <ggufkit/diff.hpp>
#include <ggufkit/quantize.hpp>
#include <optional>

#include "core/aligned.hpp"
#include "core/bytes.hpp"
#include "core/parallel.hpp"
#include "diff/bytes.hpp"
#include "diff/scale.hpp"
#include "quant/measure/error_meter.hpp"

namespace ggufkit {

namespace {

constexpr std::uint64_t run_elements = quant::ErrorMeter::longest;
constexpr std::uint64_t piece_runs = 512;

// A pair, cut into runs: those of a row, where columns have weights, or of all rows as one.
struct Work {
    TensorPair pair;
    std::span<const std::byte> a{};
    std::span<const std::byte> b{};
    std::vector<float> scale_a{};  // a factor for each matrix, or none
    std::vector<float> scale_b{};
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

Work plan_work(const TensorPair& pair, const ValueOptions& options) {
    const TensorInfo& info = *pair.a->info;
    const std::uint64_t elements = elements_of(*pair.a);
    Work work{.pair = pair};
    if (options.imatrix != nullptr) work.importance = options.imatrix->find(info.name);
    if (work.importance.size() != info.ne[0] * info.ne[2] * info.ne[3]) work.importance = {};
    work.row = work.importance.empty() ? elements : info.ne[0];
    work.runs_per_row = (work.row + run_elements - 1) / run_elements;
    work.runs = elements == 0 ? 0 : elements / work.row * work.runs_per_row;
    work.looked_at = options.sample == 0 ? work.runs : std::min(work.runs, std::max<std::uint64_t>(options.sample, 2));
    work.seed = hash_of(info.name);
    return work;
}

// The place of run number `index` of those that are looked at.
std::uint64_t run_number(const Work& work, std::uint64_t index) {
    if (!work.sampled()) return index;
    // One from each of equal parts; 128 bits, as runs may be many.
    const auto edge = [&](std::uint64_t part) {
        return static_cast<std::uint64_t>(static_cast<unsigned __int128>(part) * work.runs / work.looked_at);
    };
    const std::uint64_t begin = edge(index);
    return begin + random(work.seed + index) % (edge(index + 1) - begin);
}

// ---------------------------------------------------------------- data

struct Run {
    std::uint64_t begin;
    std::uint64_t size;
    std::span<const float> importance;
};

Run run_of(const Work& work, std::uint64_t number) {
    const std::uint64_t row = number / work.runs_per_row, column = number % work.runs_per_row * run_elements;
    const std::uint64_t size = std::min(run_elements, work.row - column);
    if (work.importance.empty()) return {row * work.row + column, size, {}};
    const std::uint64_t matrix = row / work.pair.a->info->ne[1];
    return {row * work.row + column, size, work.importance.subspan(matrix * work.row + column, size)};
}

// Bytes of whole blocks.
std::uint64_t bytes_of(const FormatInfo& format, std::uint64_t elements) {
    return elements / format.block_elements * format.block_bytes;
}

// Of a tensor's data, what is looked at.
Result<std::span<const std::byte>> data_of(const Model& model, const ModelTensor& tensor, const Work& work) {
    if (!work.sampled()) return model.data(tensor);
    const FormatInfo& format = *tensor.info->format;
    std::vector<DataPart> parts;
    parts.reserve(work.looked_at);
    for (std::uint64_t i = 0; i < work.looked_at; ++i) {
        const Run run = run_of(work, run_number(work, i));
        parts.push_back({bytes_of(format, run.begin), bytes_of(format, run.size)});
    }
    return model.data(tensor, parts);
}

Result<Work> prepare(const Model& a, const Model& b, const TensorPair& pair, const ValueOptions& options) {
    Work work = plan_work(pair, options);
    const auto data_a = data_of(a, *pair.a, work);
    if (!data_a) return fail(data_a.error());
    auto scale_a = diff::read_scale(a, *pair.a);
    if (!scale_a) return fail(std::move(scale_a).error());
    work.a = *data_a;
    work.scale_a = *std::move(scale_a);
    if (pair.same) return work;
    const auto data_b = data_of(b, *pair.b, work);
    if (!data_b) return fail(data_b.error());
    auto scale_b = diff::read_scale(b, *pair.b);
    if (!scale_b) return fail(std::move(scale_b).error());
    work.b = *data_b;
    work.scale_b = *std::move(scale_b);
    return work;
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

class Side {
  public:
    Side(const Model& model, const ModelTensor& tensor, std::span<const std::byte> data, std::span<const float> scale)
        : model_(model),
          format_(*tensor.info->format),
          data_(data),
          scale_(scale),
          tensor_(tensor),
          foreign_(diff::order_of(model, tensor) != native_order) {}

    diff::Bytes bytes(std::uint64_t begin, std::uint64_t end) const {
        return {model_, tensor_, data_, bytes_of(format_, begin), bytes_of(format_, end - begin)};
    }
    Result<std::span<const float>> decode(std::uint64_t begin, std::uint64_t count) {
        auto blocks = data_.subspan(bytes_of(format_, begin), bytes_of(format_, count));
        if (foreign_) blocks = diff::turned(format_, blocks, turned_);
        const auto values = std::span(values_).first(count);
        if (auto done = dequantize_rows(format_.type(), blocks, values); !done) return fail(std::move(done).error());
        if (!scale_.empty()) multiply(values, begin);
        return values;
    }

  private:
    void multiply(std::span<float> values, std::uint64_t begin) const {
        const std::uint64_t matrix = tensor_.info->ne[0] * tensor_.info->ne[1];
        for (std::size_t i = 0; i < values.size(); ++i) values[i] *= scale_[(begin + i) / matrix];
    }

    const Model& model_;
    const FormatInfo& format_;
    std::span<const std::byte> data_;
    std::span<const float> scale_;
    const ModelTensor& tensor_;
    const bool foreign_;
    std::vector<std::byte> turned_;
    alignas(cache_line) std::array<float, run_elements> values_;
};

// Both sides of a pair; one side for both, where they are known to be the same.
class Sides {
  public:
    Sides(const Model& model_a, const Model& model_b, const Work& work)
        : a_(model_a, *work.pair.a, work.a, work.scale_a) {
        if (!work.pair.same) b_.emplace(model_b, *work.pair.b, work.b, work.scale_b);
    }
    Result<void> measure(const Run& run, quant::ErrorMeter& meter) {
        const auto w = a_.decode(run.begin, run.size);
        if (!w) return fail(w.error());
        const auto v = b_ ? b_->decode(run.begin, run.size) : w;
        if (!v) return fail(v.error());
        meter.add(*w, *v, run.importance);
        return {};
    }
    const Side& a() const { return a_; }
    const Side& b() const { return b_ ? *b_ : a_; }

  private:
    Side a_;
    std::optional<Side> b_;
};

Result<Sums> measure_piece(const Model& model_a, const Model& model_b, const Work& work, std::uint64_t first,
                           std::uint64_t last) {
    Sides sides(model_a, model_b, work);
    quant::ErrorMeter meter;
    const Run begin = run_of(work, run_number(work, first)), end = run_of(work, run_number(work, last - 1));
    const auto bytes_a = sides.a().bytes(begin.begin, end.begin + end.size);
    const auto bytes_b = sides.b().bytes(begin.begin, end.begin + end.size);
    for (std::uint64_t i = first; i < last; ++i) {
        if (auto done = sides.measure(run_of(work, run_number(work, i)), meter); !done) return fail(done.error());
    }
    return Sums{.errors = meter.sums()};
}

Result<Sums> measure_sample(const Model& model_a, const Model& model_b, const Work& work, std::uint64_t first,
                            std::uint64_t last) {
    Sides sides(model_a, model_b, work);
    Sums sums;
    for (std::uint64_t i = first; i < last; ++i) {
        const Run run = run_of(work, run_number(work, i));
        quant::ErrorMeter meter;
        if (auto done = sides.measure(run, meter); !done) return fail(done.error());
        const ErrorSums one = meter.sums();
        const bool greater = one.max_error > sums.errors.max_error;
        sums.add({one, one.e2 * one.e2, one.e2 * one.w2, one.w2 * one.w2});
        if (greater) sums.errors.max_at = run.begin + one.max_at;
    }
    return sums;
}

// ---------------------------------------------------------------- all pieces

struct Piece {
    std::size_t work;
    std::uint64_t first;  // of the runs that are looked at
    std::uint64_t last;
};

std::vector<Piece> cut(const std::vector<Work>& works) {
    std::vector<Piece> pieces;
    for (std::size_t i = 0; i < works.size(); ++i) {
        for (std::uint64_t run = 0; run < works[i].looked_at; run += piece_runs) {
            pieces.push_back({i, run, std::min(run + piece_runs, works[i].looked_at)});
        }
    }
    return pieces;
}

Interval interval_of(const Work& work, const Sums& sums) {
    const auto n = static_cast<double>(work.looked_at), all = static_cast<double>(work.runs);
    const ErrorSums& errors = sums.errors;
    if (errors.w2 == 0) return {errors.relative_rmse(), errors.relative_rmse()};
    const double ratio = errors.e2 / errors.w2;
    const double squares = sums.e2_e2 - 2 * ratio * sums.e2_w2 + ratio * ratio * sums.w2_w2;
    const double variance = std::max(0.0, squares) / (n - 1);
    const double spread = 1.96 * std::sqrt((1 - n / all) * variance / n) / (errors.w2 / n);
    return {std::sqrt(std::max(0.0, ratio - spread)), std::sqrt(ratio + spread)};
}

// Takes in what follows; places in a sample are those of the tensor already.
void take_in(const Work& work, Sums& all, const Sums& next) {
    const bool greater = next.errors.max_error > all.errors.max_error;
    all.add(next);
    if (greater && work.sampled()) all.errors.max_at = next.errors.max_at;
}

}  // namespace

bool has_values_to_compare(const TensorPair& pair) {
    const auto decodes = [](const ModelTensor& tensor) {
        return tensor.info->format != nullptr && can_dequantize(tensor.info->format->type());
    };
    return pair.a != nullptr && pair.b != nullptr && pair.a->info->ne == pair.b->info->ne && decodes(*pair.a) &&
           decodes(*pair.b);
}

Result<std::vector<ValueDifference>> compare_values(const Model& a, const Model& b, std::span<const TensorPair> pairs,
                                                    const ValueOptions& options) {
    std::vector<Work> works;
    std::uint64_t total = 0, done = 0;
    for (const TensorPair& pair : pairs) {
        auto work = prepare(a, b, pair, options);
        if (!work) return fail(std::move(work).error());
        total += work->looked_at * run_elements;
        works.push_back(*std::move(work));
    }
    const std::vector<Piece> pieces = cut(works);
    const unsigned workers = worker_count(pieces.size(), options.threads);
    std::vector<Sums> made(std::size_t{4} * workers), sums(works.size());
    auto measured = parallel_in_order(
        pieces.size(), workers, made.size(), options.stop,
        [&](std::size_t i, std::size_t slot, unsigned) -> Result<void> {
            const Piece& piece = pieces[i];
            const Work& work = works[piece.work];
            auto result = work.sampled() ? measure_sample(a, b, work, piece.first, piece.last)
                                         : measure_piece(a, b, work, piece.first, piece.last);
            if (!result) return fail(std::move(result).error());
            made[slot] = *result;
            return {};
        },
        [&](std::size_t i, std::size_t slot) -> Result<void> {
            take_in(works[pieces[i].work], sums[pieces[i].work], made[slot]);
            if (options.progress) options.progress(done += (pieces[i].last - pieces[i].first) * run_elements, total);
            return {};
        });
    if (!measured) return fail(std::move(measured).error());
    for (const Model* model : {&a, &b}) {
        if (auto unchanged = model->check_unchanged(); !unchanged) return fail(std::move(unchanged).error());
    }
    std::vector<ValueDifference> differences;
    for (std::size_t i = 0; i < works.size(); ++i) {
        ValueDifference difference{.sums = sums[i].errors, .sampled = works[i].sampled()};
        if (difference.sampled) difference.relative_rmse = interval_of(works[i], sums[i]);
        differences.push_back(difference);
    }
    return differences;
}

}  // namespace ggufkit
