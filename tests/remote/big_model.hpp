// A model whose header takes several requests, and whose data is larger still.
#pragma once

#include "support/small_model.hpp"

namespace ggufkit::test {

// A header of some 400 kB, and 3 MB of data.
inline SmallModel big_model() {
    SmallModel model = small_llama();
    model.set("test.words", Value::of_strings(std::vector<std::string>(25'000, "a word.")));
    model.tensor("large.weight", TensorType::Q8_0, {1024, 2048}).tensor("other.weight", TensorType::F16, {256, 1024});
    return model;
}

// Its file.
inline const std::vector<std::byte>& big_content() {
    static const std::vector<std::byte> bytes = big_model().bytes();
    return bytes;
}

}  // namespace ggufkit::test
