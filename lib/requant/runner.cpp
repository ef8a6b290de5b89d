#include "requant/runner.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

namespace ggufkit::requant {

namespace {

// What the workers of a run may take together.
constexpr std::uint64_t memory_budget = 48 << 20;

}  // namespace

Result<unsigned> choose_workers(const Assembly& assembly, std::uint64_t items, unsigned threads,
                                std::uint64_t extra_bytes) {
    const std::uint64_t workspace = assembly.workspace_bytes();
    if (workspace > memory_budget) {
        const SourceTensor& biggest = *std::ranges::max_element(assembly.tensors(), {}, &SourceTensor::workspace_bytes);
        return fail({.code = Errc::unsupported,
                     .subject = fmt::format("tensor '{}'", biggest.planned().name),
                     .detail = fmt::format("a row of {} elements is too long to convert", biggest.unit_elements)});
    }
    const std::uint64_t each = std::max<std::uint64_t>(1, workspace + extra_bytes);
    return static_cast<unsigned>(std::clamp<std::uint64_t>(memory_budget / each, 1, worker_count(items, threads)));
}

void advise_sequential(const Model& model) {
    for (std::size_t i = 0; i < model.shard_count(); ++i) {
        ::posix_fadvise(model.shard_fd(i), 0, 0, POSIX_FADV_SEQUENTIAL);
    }
}

}  // namespace ggufkit::requant
