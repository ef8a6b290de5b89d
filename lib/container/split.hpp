// What a file says of its place in a split model.
#pragma once

#include <cstdint>
#include <ggufkit/model.hpp>
#include <optional>
#include <string>

#include "container/findings.hpp"

namespace ggufkit::container {

struct SplitKeys {
    std::uint64_t number;  // from 0
    std::uint64_t count;   // 2 or more
    friend bool operator==(const SplitKeys&, const SplitKeys&) = default;
};

// Nothing where the file is a whole model, or says of its place what cannot be (check_split_keys() tells).
std::optional<SplitKeys> split_keys(const ModelView& view);

void check_split_keys(const ModelView& view, Findings& findings);

}  // namespace ggufkit::container
