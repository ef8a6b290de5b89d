// Looking through all tensor data for what no weight can be.
//
// Purpose: every block with a NaN or an infinity in its scales or its weights, with its place (GGUF-R046).
// Ownership: plain values; names of fields are those of the registry.
// Thread-safety: one call runs its own threads over an immutable model; the callback is called from one of them at a
//   time and must not throw.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>

namespace ggufkit {

struct DataFault {
    std::uint64_t row;     // of all rows of the tensor
    std::uint64_t column;  // of the block's first weight; of a type without blocks, of the weight
    std::uint64_t offset;  // of the block in the file
    // "d"; "value" where the weight itself is not finite though the scales are.
    std::string_view field;
    float value;  // what it is: NaN, or an infinity

    // "row 3, block 1 (columns 256 to 511): d is NaN"
    std::string text(const FormatInfo& format) const;
};

struct TensorFaults {
    std::size_t tensor;              // index among those that were looked at
    std::uint64_t blocks = 0;        // how many are at fault
    std::vector<DataFault> first{};  // so many of them: at most listed_faults
};

inline constexpr std::size_t listed_faults = 16;

struct CheckDataOptions {
    unsigned threads = 0;  // 0: as many as the machine has
    // Bytes that were looked at, and how many there are.
    std::function<void(std::uint64_t done, std::uint64_t total)> progress{};
    std::stop_token stop{};  // requested: CANCELLED
};

// Only tensors with faults, in the order given. Errors: those of Model::data(); IO_CHANGED where a file changed
// meanwhile; CANCELLED.
Result<std::vector<TensorFaults>> check_data(const Model& model, std::span<const ModelTensor> tensors,
                                             const CheckDataOptions& options = {});

}  // namespace ggufkit
