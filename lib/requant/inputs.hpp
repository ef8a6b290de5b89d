// The files that a model was opened from.
#pragma once

#include <cstddef>
#include <ggufkit/model.hpp>
#include <vector>

namespace ggufkit::requant {

// What no output may be: the files that have been named, not those that compressed ones were unpacked into.
inline std::vector<int> inputs_of(const Model& model) {
    std::vector<int> files;
    for (std::size_t shard = 0; shard < model.shard_count(); ++shard) files.push_back(model.opened_fd(shard));
    return files;
}

}  // namespace ggufkit::requant
