// Parts of rows of a tensor, as numbers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <span>
#include <vector>

namespace ggufkit::plan {

// The middles of `wanted` equal parts of so many rows; at least one, and no more than there are.
std::vector<std::uint64_t> spread(std::uint64_t wanted, std::uint64_t rows);

class RowReader {
  public:
    // A whole number of blocks of any type, and few enough that memory is bounded whatever the length of rows.
    static constexpr std::uint64_t most_columns = 64 << 10;

    // Borrows both. The type can be decoded.
    RowReader(const Model& model, const ModelTensor& tensor) : model_(model), tensor_(tensor) {}

    // `count` columns (at most most_columns) from `first` (a multiple of that) on, of a row counted through all matrices.
    // They stay until the next call. Errors: IO_READ, IO_CHANGED; BAD_QUANT (a NaN or infinity), with tensor and row.
    Result<std::span<const float>> read(std::uint64_t row, std::uint64_t first, std::uint64_t count);

  private:
    const Model& model_;
    const ModelTensor& tensor_;
    std::vector<std::byte> blocks_;
    std::vector<float> values_;
};

}  // namespace ggufkit::plan
