#include "plan/overrides.hpp"

#include <fmt/format.h>

#include <ggufkit/recipe_file.hpp>
#include <string>

namespace ggufkit::plan {

namespace {

// std::regex recurses, once and more for each character: these bounds keep it well inside any stack.
constexpr std::size_t longest_pattern = 1000;
constexpr std::size_t longest_name = 1000;

std::string lower(std::string text) {
    for (char& c : text)
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    return text;
}

tl::unexpected<Error> bad_pattern(const TypeOverride& row, std::string_view why) {
    return fail({.code = Errc::bad_argument,
                 .subject = fmt::format("{} '{}'", row.from.empty() ? "--tensor-type" : row.from + ":", row.pattern),
                 .detail = std::string(why)});
}

}  // namespace

Result<Overrides> Overrides::compile(std::span<const TypeOverride> rows) {
    Overrides overrides;
    for (const TypeOverride& row : rows) {
        if (auto name = exact_name(row.pattern)) {
            overrides.exact_.emplace(*std::move(name), &row);
            continue;
        }
        if (row.pattern.size() > longest_pattern) return bad_pattern(row, "the pattern is too long");
        try {
            overrides.compiled_.push_back({std::regex(lower(row.pattern)), &row});
        } catch (const std::regex_error& error) {
            return bad_pattern(row, error.what());
        }
    }
    return overrides;
}

Result<const TypeOverride*> Overrides::find(std::string_view name) const {
    const auto found = exact_.find(std::string(name));
    const TypeOverride* const exact = found == exact_.end() ? nullptr : found->second;
    if (name.size() > longest_name) return exact;
    for (const auto& [pattern, row] : compiled_) {
        if (exact != nullptr && exact < row) break;  // rows are of one array
        try {
            if (std::regex_search(name.begin(), name.end(), pattern)) return row;
        } catch (const std::regex_error& error) {
            return bad_pattern(*row, error.what());
        }
    }
    return exact;
}

}  // namespace ggufkit::plan
