// What no encoder can go below: the least squared error of the types whose sub-blocks have one scale and nothing else, found by
// trying every scale that the type can store.
#pragma once

#include <ggufkit/format.hpp>
#include <optional>
#include <span>

#include "support/weight_rows.hpp"

namespace ggufkit::test {

// `plain` and `weighted` are minimised each by itself. Nothing for types other than Q4_0, Q5_0, MXFP4 and NVFP4. Whole blocks.
// Slow: thousands of scales for each sub-block.
std::optional<SquaredError> least_error(TensorType type, std::span<const float> values);

}  // namespace ggufkit::test
