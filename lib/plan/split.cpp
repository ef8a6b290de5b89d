#include "container/split.hpp"

#include <ggufkit/plan.hpp>

namespace ggufkit {

std::vector<std::filesystem::path> output_paths(const Plan& plan, const std::filesystem::path& output) {
    if (plan.files.size() <= 1) return {output};
    const std::filesystem::path stem = output.extension() == ".gguf" ? output.parent_path() / output.stem() : output;
    std::vector<std::filesystem::path> paths;
    paths.reserve(plan.files.size());
    for (std::size_t i = 0; i < plan.files.size(); ++i) {
        paths.push_back(container::shard_path(stem.string(), i, plan.files.size()));
    }
    return paths;
}

}  // namespace ggufkit
