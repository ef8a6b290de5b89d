// What each piece of a tensor lost, and the sum of it that does not depend on which thread was first.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/format.hpp>
#include <ggufkit/report.hpp>
#include <map>
#include <mutex>
#include <span>
#include <vector>

namespace ggufkit::requant {

// Decodes what was made of rows of `ne0` values and compares. `blocks` are in native byte order; `importance` is that of
// the row's columns, or empty. Works in a few kilobytes of stack.
Result<ErrorSums> measure(std::span<const float> values, std::size_t ne0, TensorType type,
                          std::span<const std::byte> blocks, std::span<const float> importance);

// Collects the sums of pieces, from any thread and in any order; adds them up in the order of the pieces. Sums that come
// early wait, no more of them than there are threads where pieces are handed out in order.
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

}  // namespace ggufkit::requant
