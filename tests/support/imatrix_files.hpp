// Importance matrix files by content: both forms, valid and hostile.
#pragma once

#include <ggufkit/quant/imatrix.hpp>
#include <ggufkit/writer.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/bytes.hpp"

namespace ggufkit::test {

// One matrix after the other: `sums.size() / counts.size()` columns each, unless `columns` says otherwise.
struct ImatrixRecord {
    std::string tensor;
    std::vector<float> sums;
    std::vector<float> counts;
    std::uint64_t columns = 0;
};

std::vector<std::byte> gguf_imatrix(const std::vector<ImatrixRecord>& records, ByteOrder order = ByteOrder::little,
                                    std::string_view type = "imatrix");

struct OldRecord {
    std::string tensor;
    std::int32_t calls;
    std::vector<float> values;
};

// Without the trailer, that is chunks and dataset, where `chunks` is negative.
Bytes old_imatrix(const std::vector<OldRecord>& records, std::int32_t chunks = -1, std::string_view dataset = {});

// Every column of every tensor as important as any other.
Imatrix imatrix_of_ones(const Model& model);

struct ImatrixSeed {
    std::string_view name;  // of fuzz/corpus-imatrix/NAME
    std::vector<std::byte> bytes;
};
std::vector<ImatrixSeed> imatrix_seeds();

}  // namespace ggufkit::test
