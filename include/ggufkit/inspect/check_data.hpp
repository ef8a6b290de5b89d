// Looking through all tensor data for what no weight can be.
//
// Purpose: every block with a NaN or an infinity in its scales or its weights, with its place (GGUF-R046), and the runs
//   of zeros that an unfinished download leaves (GGUF-R059).
//
//     const auto found = ggufkit::check_data(*model, model->tensors());
//     if (!found) return complain(found.error());
//     for (const auto& tensor : found->faults) {
//         fmt::print("{}: {} bad blocks\n", model->tensors()[tensor.tensor].info->name, tensor.blocks);
//     }
//
// Ownership: plain values; names of fields are those of the registry.
// Thread-safety: one call runs its own threads over an immutable model; the callback is called from one of them at a
//   time and must not throw.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/work.hpp>

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

// A run of zero bytes that takes up several whole tensors, or begins or ends within a row. One tensor of zeros, or rows of
// zeros at a tensor's end, is ordinary.
struct ZeroRun {
    std::uint32_t shard;
    std::uint64_t begin;  // in the file
    std::uint64_t end;
    bool to_the_end = false;       // nothing but zeros follows in the file
    std::size_t tensors = 0;       // how many it takes up whole
    std::size_t first_tensor = 0;  // index of the first tensor that it touches, among those that were looked at
};

struct DataFindings {
    std::vector<TensorFaults> faults;  // only tensors with faults, in the order given
    std::vector<ZeroRun> zeros;        // in the order of the file
    std::size_t zero_tensors = 0;      // how many tensors have bytes, and all of them zero
};

// Reads every tensor once. Errors: all errors of Model::data(); IO_CHANGED if a file changes meanwhile; CANCELLED.
Result<DataFindings> check_data(const Model& model, std::span<const ModelTensor> tensors, const Work& work = {});

}  // namespace ggufkit
