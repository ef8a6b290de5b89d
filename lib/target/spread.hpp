// Rows that stand for all of a tensor.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

namespace ggufkit::target {

// Columns that are read at a time: a whole number of blocks of any type, and few enough that memory is bounded whatever
// the length of rows.
inline constexpr std::uint64_t most_columns = 64 << 10;

// The middles of `wanted` equal parts of so many rows; at least one, and no more than there are.
inline std::vector<std::uint64_t> spread(std::uint64_t wanted, std::uint64_t rows) {
    std::vector<std::uint64_t> middles;
    if (rows == 0) return middles;
    const std::uint64_t parts = std::clamp<std::uint64_t>(wanted, 1, rows);
    middles.reserve(parts);
    for (std::uint64_t i = 0; i < parts; ++i) {
        middles.push_back(rows / parts * i + rows % parts * i / parts + rows / parts / 2);
    }
    return middles;
}

}  // namespace ggufkit::target
