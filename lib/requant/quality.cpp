#include "requant/quality.hpp"

#include <algorithm>
#include <array>
#include <ggufkit/quantize.hpp>

#include "quant/measure/error_meter.hpp"

namespace ggufkit::requant {

Result<ErrorSums> measure(std::span<const float> values, std::size_t ne0, TensorType type,
                          std::span<const std::byte> blocks, std::span<const float> importance) {
    const FormatInfo& format = format_of(type);
    std::array<float, quant::ErrorMeter::longest> memory;
    quant::ErrorMeter meter;
    for (std::size_t at = 0; at < values.size();) {
        const std::size_t column = at % ne0;
        const auto chunk = values.subspan(at, std::min(memory.size(), ne0 - column));
        const auto decoded = std::span(memory).first(chunk.size());
        const auto made = blocks.subspan(at / format.block_elements * format.block_bytes,
                                         chunk.size() / format.block_elements * format.block_bytes);
        if (auto done = dequantize_rows(type, made, decoded); !done) return fail(std::move(done).error());
        meter.add(chunk, decoded, importance.empty() ? importance : importance.subspan(column, chunk.size()));
        at += chunk.size();
    }
    return meter.sums();
}

void QualityCollector::add(std::size_t tensor, std::uint64_t piece, const ErrorSums& sums, double seconds) {
    const std::lock_guard lock(mutex_);
    TensorQuality& quality = report_.tensors[tensor];
    quality.measured = true;
    quality.seconds += seconds;
    auto& [next, early] = pending_[tensor];
    early.emplace(piece, sums);
    while (!early.empty() && early.begin()->first == next) {
        quality.sums.add(early.begin()->second);
        early.erase(early.begin());
        ++next;
    }
}

QualityObserver::QualityObserver(std::span<const Plan* const> plans) : plans_(plans.begin(), plans.end()) {
    for (const Plan* plan : plans) collectors_.emplace_back(plan->tensors.size());
}

Result<void> QualityObserver::encoded(const Job& job, const Target& target, const SourcePiece& source,
                                      std::span<const std::byte> blocks, std::chrono::duration<double> took) {
    const PlannedTensor& tensor = *target.tensor;
    const std::size_t ne0 = tensor.ne[0];
    const std::uint64_t rows = source.values.size() / ne0;
    ErrorSums lost;
    // Every matrix has an importance of its own.
    for (std::uint64_t row = 0; row < rows;) {
        const std::uint64_t matrix = (source.first + row) / tensor.ne[1];
        const std::uint64_t end = std::min(rows, (matrix + 1) * tensor.ne[1] - source.first);
        const auto importance =
            tensor.importance.empty() ? tensor.importance : tensor.importance.subspan(matrix * ne0, ne0);
        const auto sums = measure(source.values.subspan(row * ne0, (end - row) * ne0), ne0, tensor.to,
                                  blocks.subspan(row * target.unit_bytes, (end - row) * target.unit_bytes), importance);
        if (!sums) return fail(sums.error());
        lost.add(*sums);
        row = end;
    }
    const auto number = static_cast<std::size_t>(&tensor - plans_[target.plan]->tensors.data());
    collectors_[target.plan].add(number, source.first / job.piece_units, lost, took.count());
    return {};
}

std::vector<QualityReport> QualityObserver::take() {
    std::vector<QualityReport> reports;
    reports.reserve(collectors_.size());
    for (QualityCollector& collector : collectors_) reports.push_back(collector.take());
    return reports;
}

}  // namespace ggufkit::requant
