// Small files, valid and hostile, that fuzzers start from: fuzz/corpus/NAME.gguf. At least one breaks each rule of
// spec/gguf.md that one file can break.
#pragma once

#include <string_view>
#include <vector>

#include "support/bytes.hpp"

namespace ggufkit::test {

// Every value type, arrays and nested arrays, and tensors of several types, some of them empty.
Bytes rich_file(Encoding encoding);

struct Seed {
    std::string_view name;  // the row of the taxonomy and what was done, "K04-duplicate-key"; or "valid-…"
    Bytes bytes;
};

std::vector<Seed> seeds();

}  // namespace ggufkit::test
