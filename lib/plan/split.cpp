#include "plan/split.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

#include "container/alignment.hpp"
#include "container/split.hpp"
#include "core/try.hpp"

namespace ggufkit {

namespace plan {

namespace {

// split.no and split.count are u16.
constexpr std::size_t most_files = std::numeric_limits<std::uint16_t>::max();

// How many tensors each file of the source has in the output.
std::vector<std::size_t> as_in_source(const Model& model, std::span<const Choice> choices) {
    std::vector<std::size_t> counts(model.shard_count());
    for (const Choice& choice : choices) ++counts[model.tensors()[choice.source].shard];
    return counts;
}

// A file ends where the next tensor, with its padding, would exceed a limit.
std::vector<std::size_t> within_limits(const Layout& whole, const SplitLimits& limits) {
    const auto limit_of = [](std::uint64_t limit) {
        return limit == 0 ? std::numeric_limits<std::uint64_t>::max() : limit;
    };
    const std::uint64_t max_bytes = limit_of(limits.max_bytes), max_tensors = limit_of(limits.max_tensors);
    std::vector<std::size_t> counts{0};
    std::uint64_t begin = whole.data_offset;
    for (std::size_t i = 0; i < whole.offsets.size(); ++i) {
        const std::uint64_t end = i + 1 < whole.offsets.size() ? whole.offsets[i + 1] : whole.file_bytes;
        if (counts.back() > 0 && (end - begin > max_bytes || counts.back() == max_tensors)) {
            counts.push_back(0);
            begin = whole.offsets[i];
        }
        ++counts.back();
    }
    return counts;
}

// One file of several, without its tensors.
Header shard(const Header& whole, std::size_t index, std::size_t count) {
    Header header;
    header.byte_order = whole.byte_order;
    const auto tell = [&](std::string_view key, ValueType type, std::uint64_t value) {
        header.set_last(key, Value::of_unsigned(type, value));
    };
    for (const auto& [key, value] : whole.metadata()) {
        if (index == 0 || key == container::alignment_key) header.set(key, value);
    }
    tell("split.no", ValueType::uint16, index);
    tell("split.count", ValueType::uint16, count);
    tell("split.tensors.count", ValueType::int32, whole.tensors.size());
    return header;
}

}  // namespace

Result<Files> lay_out(const Header& whole, const Model& model, std::span<const Choice> choices, const Split& split) {
    TRY_LET(auto layout, make_layout(whole));
    const auto* const limits = std::get_if<SplitLimits>(&split);
    Files files{.layouts = {},
                .tensors = limits != nullptr ? within_limits(layout, *limits) : as_in_source(model, choices)};
    const std::size_t count = files.tensors.size();
    if (count == 1) {
        files.layouts.push_back(std::move(layout));
        return files;
    }
    if (count > most_files) {
        return fail({.code = Errc::bad_argument,
                     .subject = "output",
                     .detail = fmt::format("would be {} files; {} can be numbered", count, most_files)});
    }
    auto next = whole.tensors.begin();
    for (std::size_t i = 0; i < count; ++i) {
        Header header = shard(whole, i, count);
        const auto end = next + static_cast<std::ptrdiff_t>(files.tensors[i]);
        header.tensors.assign(next, end);
        next = end;
        TRY_LET(auto part, make_layout(header));
        files.layouts.push_back(std::move(part));
    }
    return files;
}

}  // namespace plan

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
