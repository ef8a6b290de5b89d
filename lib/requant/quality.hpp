// What each piece of a tensor lost, and the sum of it that does not depend on which thread was first.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <ggufkit/error.hpp>
#include <ggufkit/format.hpp>
#include <ggufkit/requant/report.hpp>
#include <map>
#include <mutex>
#include <span>
#include <vector>

#include "requant/segment.hpp"

namespace ggufkit::requant {

// Decodes what was made of rows of `ne0` values and compares. `blocks` are in native byte order; `importance`
// is that of the row's columns, or empty. Works in a few kilobytes of stack.
Result<ErrorSums> measure(std::span<const float> values, std::size_t ne0, TensorType type,
                          std::span<const std::byte> blocks, std::span<const float> importance);

// Collects the sums of a plan's pieces, from any thread and in any order; adds them up in the order of the pieces. Sums
// that come early wait, no more of them than there are threads where pieces are handed out in order.
class QualityCollector {
  public:
    explicit QualityCollector(std::size_t tensors) : pending_(tensors) { report_.tensors.resize(tensors); }

    // Each piece of a tensor, from 0 on, once.
    void add(std::size_t tensor, std::uint64_t piece, const ErrorSums& sums, double seconds);

    // When all pieces are there.
    QualityReport take() { return std::move(report_); }

  private:
    struct Pending {
        std::uint64_t next = 0;  // the piece that can be added
        std::map<std::uint64_t, ErrorSums> early{};
    };

    std::mutex mutex_;
    std::vector<Pending> pending_;
    QualityReport report_;
};

// Measures every piece that is encoded, for each of the plans that are carried out together.
class QualityObserver : public Observer {
  public:
    explicit QualityObserver(std::span<const Plan* const> plans);
    Result<void> encoded(const Segment& segment, std::span<const float> values, std::span<const std::byte> blocks,
                         std::chrono::duration<double> took) override;
    std::vector<QualityReport> take();

  private:
    std::vector<const Plan*> plans_;
    std::deque<QualityCollector> collectors_;
};

}  // namespace ggufkit::requant
