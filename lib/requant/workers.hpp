// How many threads there is work and memory for.
#pragma once

#include <cstdint>
#include <ggufkit/error.hpp>
#include <span>

#include "requant/job.hpp"

namespace ggufkit::requant {

// `threads` as in worker_count(); fewer where their tiles would take too much memory together. UNSUPPORTED where it is
// not even enough for one.
Result<unsigned> choose_workers(std::span<const Job> jobs, std::uint64_t pieces, unsigned threads);

}  // namespace ggufkit::requant
