#include "requant/quality.hpp"

#include <algorithm>
#include <array>
#include <ggufkit/quant/quantize.hpp>

#include "core/try.hpp"
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
        TRY(dequantize_rows(type, made, decoded));
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

Result<void> QualityObserver::encoded(const Segment& segment, std::span<const float> values,
                                      std::span<const std::byte> blocks, std::chrono::duration<double> took) {
    const Target& target = *segment.target;
    const PlannedTensor& tensor = *target.tensor;
    const std::size_t ne0 = tensor.ne[0];
    ErrorSums lost;
    const auto add = [&](std::uint64_t row, std::uint64_t rows, std::span<const float> importance) {
        return measure(values.subspan(row * ne0, rows * ne0), ne0, tensor.to,
                       blocks.subspan(row * target.unit_bytes, rows * target.unit_bytes), importance)
            .map([&](const ErrorSums& sums) { lost.add(sums); });
    };
    TRY(each_matrix(segment, add));
    const auto number = static_cast<std::size_t>(&tensor - plans_[target.plan]->tensors.data());
    collectors_[target.plan].add(number, segment.piece.first / segment.piece.tensor->piece_units, lost, took.count());
    return {};
}

std::vector<QualityReport> QualityObserver::take() {
    std::vector<QualityReport> reports;
    reports.reserve(collectors_.size());
    for (QualityCollector& collector : collectors_) reports.push_back(collector.take());
    return reports;
}

}  // namespace ggufkit::requant
