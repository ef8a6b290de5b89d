#include "container/split.hpp"

#include <fmt/format.h>

namespace ggufkit::container {

std::optional<SplitKeys> split_keys(const ModelView& view) {
    const auto number = view.get_unsigned("split.no");
    const auto count = view.get_unsigned("split.count");
    if (!number || !count || *count < 2 || *number >= *count) return std::nullopt;
    return SplitKeys{*number, *count};
}

std::filesystem::path shard_path(std::string_view prefix, std::uint64_t index, std::uint64_t count,
                                 std::string_view suffix) {
    return fmt::format("{}-{:05}-of-{:05}{}", prefix, index + 1, count, suffix);
}

void check_split_keys(const ModelView& view, Findings& findings) {
    const KeyValue* entry = view.find_key("split.count");
    if (entry == nullptr) return;
    const auto number = view.get_unsigned("split.no");
    const auto count = entry->value.as_unsigned();
    if (!count) {
        findings.about_value(R::split_keys, *entry, "is not a count");
    } else if (*count > 1 && !number) {
        findings.about_value(R::split_keys, *entry, "comes without a split.no that is a number");
    } else if (*count > 1 && *number >= *count) {
        findings.about_value(R::split_keys, *entry, fmt::format("is {}, but split.no is {}", *count, *number));
    }
}

}  // namespace ggufkit::container
