// A file in memory, filled with the pieces of a plan.
#pragma once

#include <cstdint>
#include <functional>
#include <ggufkit/error.hpp>
#include <ggufkit/requant.hpp>
#include <stop_token>

#include "requant/pieces.hpp"

namespace ggufkit::requant {

struct FillOptions {
    unsigned threads = 0;  // 0: as many as the machine has
    const std::function<void(const Progress&)>& progress;
    std::stop_token stop;
    std::function<bool(std::uint64_t)> is_ready = [](std::uint64_t) { return false; };  // such a piece is there already
    std::function<void(std::uint64_t)> ready = [](std::uint64_t) {};                    // from any thread
};

// Reserves the space and writes the header. Errors: IO_NO_SPACE, IO_WRITE.
Result<void> prepare(const Pieces& pieces, int fd);

// Writes all pieces that are not ready. Errors: IO_WRITE; those of make_piece() and choose_workers(); CANCELLED.
Result<void> fill(const Pieces& pieces, int fd, const FillOptions& options);

}  // namespace ggufkit::requant
