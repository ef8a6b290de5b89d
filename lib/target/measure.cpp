// What each type would cost each tensor: rows are quantized, decoded again and compared.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/target.hpp>
#include <mutex>
#include <tuple>

#include "core/parallel.hpp"
#include "core/try.hpp"
#include "plan/importance.hpp"
#include "target/sensitivity.hpp"
#include "target/spread.hpp"
#include "tensor/reader.hpp"

namespace ggufkit::target {

namespace {

constexpr std::uint64_t padded(std::uint64_t bytes, std::uint64_t alignment) {
    return (bytes + alignment - 1) / alignment * alignment;
}

// For models that were trained to have few values: others lose so much that losses do not add up.
bool needs_training(TensorType type) {
    return type == TensorType::Q1_0 || type == TensorType::TQ1_0 || type == TensorType::TQ2_0;
}

// A tensor to try types on.
struct Subject {
    const ModelTensor* source;
    std::span<const float> importance;  // ne[0] weights for each matrix, or none
    std::vector<TensorType> types;      // but for its own
};

// Rows of a tensor spread evenly over all its matrices, as numbers.
struct Sample {
    std::uint64_t columns;
    std::vector<std::uint64_t> rows;

    Sample(const TensorInfo& tensor, std::uint64_t weights) : columns(std::min(tensor.ne[0], most_columns)) {
        const std::uint64_t all = tensor.ne[1] * tensor.ne[2] * tensor.ne[3];
        if (columns == 0 || all == 0) return;
        rows = spread(weights / columns, all);
    }
};

// The sums over a sample that make an error relative.
struct Sums {
    double error = 0, size = 0;              // weighted by importance
    double plain_error = 0, plain_size = 0;  // where importance has nothing to say
    double relative() const {
        if (size > 0) return error / size;
        return plain_size > 0 ? plain_error / plain_size : 0;
    }
};

class Trial {
  public:
    Trial(const Model& model, const Subject& subject, std::uint64_t weights, Effort effort)
        : model_(model), subject_(subject), info_(*subject.source->info), effort_(effort), sample_(info_, weights) {}

    Result<std::vector<TypeOption>> run() {
        std::vector<TypeOption> options;
        const auto add = [&](TensorType type, double error) -> Result<void> {
            TRY_LET(const auto bytes, tensor_bytes(format_of(type), info_.ne));
            options.push_back({type, padded(bytes, model_.header().alignment()), error});
            return {};
        };
        std::vector<Sums> sums(subject_.types.size());
        std::vector<bool> possible(subject_.types.size(), true);
        TRY_LET(const auto reader, tensor::Reader::open(model_, *subject_.source, {.via = tensor::Via::read}));
        tensor::Workspace workspace;
        for (const std::uint64_t row : sample_.rows) {
            const tensor::Range range{row * info_.ne[0], sample_.columns};
            TRY_LET(const auto values, reader.values(range, workspace, tensor::Check::finite));
            for (std::size_t i = 0; i < sums.size(); ++i)
                possible[i] = possible[i] && try_type(subject_.types[i], row, values, sums[i]);
        }
        TRY(add(info_.format->type(), 0));
        for (std::size_t i = 0; i < sums.size(); ++i) {
            if (!possible[i] || !std::isfinite(sums[i].relative())) continue;
            TRY(add(subject_.types[i], sums[i].relative()));
        }
        std::ranges::sort(options, {}, [](const TypeOption& o) { return std::tuple(o.bytes, o.error, o.type); });
        return options;
    }

  private:
    // False where a value is too large for the type.
    bool try_type(TensorType type, std::uint64_t row, std::span<const float> values, Sums& sums) {
        auto weights = subject_.importance;
        if (!weights.empty()) weights = weights.subspan(row / info_.ne[1] * info_.ne[0], sample_.columns);
        blocks_.resize(*row_bytes(format_of(type), sample_.columns));
        decoded_.resize(sample_.columns);
        if (!quantize_rows(type, values, sample_.columns, blocks_, weights, effort_)) return false;
        if (!dequantize_rows(type, blocks_, decoded_)) return false;
        for (std::size_t i = 0; i < values.size(); ++i) {
            const double value = values[i], error = decoded_[i] - value;
            const double weight = weights.empty() ? 1 : weights[i];
            sums.error += weight * (error * error);
            sums.size += weight * (value * value);
            sums.plain_error += error * error;
            sums.plain_size += value * value;
        }
        return true;
    }

    const Model& model_;
    const Subject& subject_;
    const TensorInfo& info_;
    Effort effort_;
    Sample sample_;
    std::vector<std::byte> blocks_;
    std::vector<float> decoded_;
};

// What is wanted of a tensor, as far as the recipe and the options say.
class Wishes {
  public:
    Wishes(const Mix& mix, const MeasureOptions& options) : mix_(mix), options_(options) {}

    Subject subject(const ModelTensor& source) const {
        const TensorInfo& tensor = *source.info;
        Subject subject{.source = &source, .importance = importance(tensor), .types = {}};
        if (!can_dequantize(tensor.format->type())) return subject;
        for (const FormatInfo& format : formats()) {
            if (format.standing == Standing::active && can_quantize(format.type()) && format.id != tensor.type_id &&
                tensor.ne[0] % format.block_elements == 0 && allowed(tensor, format.type(), subject.importance)) {
                subject.types.push_back(format.type());
            }
        }
        return subject;
    }

  private:
    std::span<const float> importance(const TensorInfo& tensor) const {
        if (mix_.imatrix == nullptr) return {};
        const auto weights = mix_.imatrix->find(tensor.name);
        return weights.size() == tensor.ne[0] * tensor.ne[2] * tensor.ne[3] ? weights : std::span<const float>();
    }
    bool allowed(const TensorInfo& tensor, TensorType type, std::span<const float> importance) const {
        const auto& types = options_.types;
        const bool wanted = types.empty() ? !needs_training(type) : std::ranges::find(types, type) != types.end();
        if (!wanted) return false;
        return !importance.empty() || mix_.imatrix_gaps_allowed ||
               !plan::needs_imatrix(tensor.name, type, *mix_.file_type);
    }

    const Mix& mix_;
    const MeasureOptions& options_;
};

// Fills in the options of every tensor, each by one thread.
Result<void> try_all(const Model& model, std::span<const Subject> subjects, Effort effort,
                     const MeasureOptions& options, Measurement& measurement) {
    std::mutex mutex;
    std::size_t done = 0;
    const auto report = [&](std::size_t more) {
        const std::lock_guard lock(mutex);
        done += more;
        if (options.work.progress) options.work.progress({done, subjects.size()});
    };
    report(0);
    return parallel_for(subjects.size(), options.work.threads, options.work.stop,
                        [&](std::size_t i, unsigned) -> Result<void> {
                            TRY_LET(auto tried, Trial(model, subjects[i], options.sample, effort).run());
                            measurement.tensors[i].options = std::move(tried);
                            report(1);
                            return {};
                        });
}

}  // namespace

Result<Measurement> measure(const Model& model, const Recipe& recipe, const MeasureOptions& options) {
    if (recipe.mix() == nullptr || recipe.mix()->pure) {
        return fail({.code = Errc::bad_argument,
                     .detail = recipe.mix() == nullptr
                                   ? "a copy keeps every tensor as it is: there are no types to choose"
                                   : "a pure mix has one type: there are none to choose"});
    }
    Recipe any = recipe;  // of any file type, since only what it leaves free is asked
    Mix& mix = *any.mix();
    if (mix.file_type == nullptr) mix.file_type = find_file_type("Q8_0");
    TRY_LET(const auto plan, make_plan(model, any, options.work.stop));

    TRY_LET(const auto sensitivities, Sensitivities::find(model, any, plan, options.work.threads, options.work.stop));
    const Wishes wishes(mix, options);
    std::vector<Subject> subjects;
    Measurement measurement{.tensors = {}, .fixed_bytes = plan.bytes_out(), .header_bytes = plan.bytes_out()};
    for (const PlannedTensor& tensor : plan.tensors) {
        measurement.header_bytes -= padded(tensor.bytes_out, model.header().alignment());
        measurement.weights += tensor.ne[0] * tensor.rows();
        if (tensor.chooser != Chooser::file_type) continue;
        subjects.push_back(wishes.subject(model.tensors()[tensor.source]));
        measurement.tensors.push_back(
            {.name = tensor.name, .sensitivity = sensitivities.of(tensor.name), .options = {}});
        measurement.fixed_bytes -= padded(tensor.bytes_out, model.header().alignment());
    }
    TRY(try_all(model, subjects, any.effort, options, measurement));
    return measurement;
}

}  // namespace ggufkit::target
