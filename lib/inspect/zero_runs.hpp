// Runs of zero bytes over the tensors of a model.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/inspect/check_data.hpp>
#include <span>
#include <stop_token>
#include <vector>

namespace ggufkit::inspect {

// The zeros that some bytes begin and end with.
struct Zeros {
    std::uint64_t bytes = 0;
    std::uint64_t leading = 0;
    std::uint64_t trailing = 0;

    bool all() const { return bytes != 0 && leading == bytes; }
    // The bytes that come next.
    void add(const Zeros& next);
};
Zeros count_zeros(std::span<const std::byte> bytes);

// The runs that are worth a word: see ZeroRun. `zeros` has an entry for each tensor. A stop request ends the scan of what
// follows the tensors; the result is incomplete then.
std::vector<ZeroRun> find_runs(const Model& model, std::span<const ModelTensor> tensors, std::span<const Zeros> zeros,
                               const std::stop_token& stop);

}  // namespace ggufkit::inspect
