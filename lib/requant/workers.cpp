#include "requant/workers.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/parallel.hpp"

namespace ggufkit::requant {

namespace {

// What the tiles of all workers may take together.
constexpr std::uint64_t tile_budget = 48 << 20;

}  // namespace

Result<unsigned> choose_workers(std::span<const Job> jobs, std::uint64_t pieces, unsigned threads) {
    const unsigned wanted = worker_count(pieces, threads);
    const auto biggest = std::ranges::max_element(jobs, {}, &Job::tile_bytes);
    if (biggest == jobs.end() || biggest->tile_bytes() == 0) return wanted;
    const std::uint64_t affordable = tile_budget / biggest->tile_bytes();
    if (affordable > 0) return static_cast<unsigned>(std::min<std::uint64_t>(wanted, affordable));
    return fail({.code = Errc::unsupported,
                 .subject = fmt::format("tensor '{}'", biggest->tensor().name),
                 .detail = fmt::format("a row of {} elements is too long to convert", biggest->unit_elements)});
}

}  // namespace ggufkit::requant
