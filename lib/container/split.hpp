// What a file says of its place in a split model.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ggufkit/model.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "container/findings.hpp"

namespace ggufkit::container {

struct SplitKeys {
    std::uint64_t number;  // from 0
    std::uint64_t count;   // 2 or more
    friend bool operator==(const SplitKeys&, const SplitKeys&) = default;
};

// Nothing where the file is a whole model, or says of its place what cannot be (check_split_keys() tells).
std::optional<SplitKeys> split_keys(const ModelView& view);

// PREFIX-00002-of-00005.gguf for the index 1 of 5.
std::filesystem::path shard_path(std::string_view prefix, std::uint64_t index, std::uint64_t count,
                                 std::string_view suffix = ".gguf");

void check_split_keys(const ModelView& view, Findings& findings);

}  // namespace ggufkit::container
