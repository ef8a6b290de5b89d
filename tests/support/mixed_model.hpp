// A model with every kind of tensor that a requantization meets.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "support/made_model.hpp"

namespace ggufkit::test {

using Types = std::map<std::string, TensorType>;

// Conversions and copies of one and of many pieces, of matrices, stacks of matrices, vectors, scalars and nothing.
inline MadeModel mixed_model(ByteOrder order, std::uint32_t alignment) {
    MadeModel model(order, alignment);
    model.add("q8.large", TensorType::Q8_0, {256, 1027})
        .add("f16.stack", TensorType::F16, {96, 11, 5})
        .add("f32.copied", TensorType::F32, {100'001})
        .add("f32.odd", TensorType::F32, {7, 3})
        .add("empty", TensorType::F16, {64, 0, 3})
        .add("scalar", TensorType::F32, {})
        .add("scalar.converted", TensorType::F32, {})
        .add("q4k.copied", TensorType::Q4_K, {256, 3, 2})
        .add("iq.copied", TensorType::IQ2_XS, {256, 3})
        .add("integers", TensorType::I32, {3})
        .add("bf16.stack", TensorType::BF16, {64, 40, 3, 2})
        .add("q6k.decoded", TensorType::Q6_K, {512, 9});
    return model;
}

inline const Types mixed_types{{"q8.large", TensorType::F16},         {"f16.stack", TensorType::Q8_0},
                               {"f32.odd", TensorType::F16},          {"empty", TensorType::Q8_0},
                               {"scalar.converted", TensorType::F16}, {"bf16.stack", TensorType::F32},
                               {"q6k.decoded", TensorType::Q8_0}};

}  // namespace ggufkit::test
