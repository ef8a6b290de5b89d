// The pieces of some jobs, numbered through, so that threads pass from one tensor to the next without waiting for each
// other.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "requant/job.hpp"

namespace ggufkit::requant {

class PieceNumbers {
  public:
    explicit PieceNumbers(std::span<const Job> jobs) {
        for (const Job& job : jobs) first_.push_back(first_.back() + job.pieces());
    }

    std::uint64_t count() const { return first_.back(); }
    std::uint64_t first_of(std::size_t job) const { return first_[job]; }

    struct Place {
        std::size_t job;
        std::uint64_t piece;  // within the job
    };
    Place at(std::uint64_t number) const {
        const auto job = static_cast<std::size_t>(std::ranges::upper_bound(first_, number) - first_.begin()) - 1;
        return {job, number - first_[job]};
    }

  private:
    std::vector<std::uint64_t> first_{0};  // of each job, and the number of all
};

}  // namespace ggufkit::requant
