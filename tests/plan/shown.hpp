// What a plan says of a tensor.
#pragma once

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/requant/plan.hpp>
#include <string>
#include <string_view>

namespace ggufkit::test {

inline const PlannedTensor& tensor(const Plan& plan, std::string_view name) {
    const auto found = std::ranges::find(plan.tensors, name, &PlannedTensor::name);
    REQUIRE(found != plan.tensors.end());
    return *found;
}

// "Q6_K (recipe: attn_v, a layer with more bits)"
inline std::string shown(const Plan& plan, std::string_view name) {
    const PlannedTensor& found = tensor(plan, name);
    return fmt::format("{} ({})", format_of(found.to).name, found.reason);
}

}  // namespace ggufkit::test
