#include "plan/overrides.hpp"

#include <fmt/format.h>

#include <ggufkit/recipe_file.hpp>
#include <map>
#include <string>
#include <utility>

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

// Whether the tensor has the row's type, or might have: a row before it may have gone first.
bool heeds(const PlannedTensor& tensor, const TypeOverride& row) {
    return tensor.chooser != Chooser::none || tensor.to == row.type;
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

Result<bool> Overrides::Compiled::is_found_in(std::string_view name) const {
    if (name.size() > longest_name) return false;
    try {
        return std::regex_search(name.begin(), name.end(), pattern);
    } catch (const std::regex_error& error) {
        return bad_pattern(*row, error.what());
    }
}

Result<const TypeOverride*> Overrides::find(std::string_view name) const {
    const auto entry = exact_.find(std::string(name));
    const TypeOverride* const exact = entry == exact_.end() ? nullptr : entry->second;
    for (const Compiled& compiled : compiled_) {
        if (exact != nullptr && exact < compiled.row) break;  // rows are of one array
        const auto found = compiled.is_found_in(name);
        if (!found) return fail(found.error());
        if (*found) return compiled.row;
    }
    return exact;
}

// One that heeds the row, if the pattern is found in such a one; else another that it is found in, or null.
const PlannedTensor* Overrides::Compiled::search(std::span<const PlannedTensor> tensors) const {
    const PlannedTensor* first = nullptr;
    for (const PlannedTensor& tensor : tensors) {
        if (!is_found_in(tensor.name).value_or(false)) continue;
        if (heeds(tensor, *row)) return &tensor;
        if (first == nullptr) first = &tensor;
    }
    return first;
}

std::vector<UnusedOverride> Overrides::unused(std::span<const PlannedTensor> tensors) const {
    std::map<const TypeOverride*, std::string> faults;  // rows are of one array: in its order
    const auto judge = [&](const TypeOverride& row, const PlannedTensor* tensor) {
        if (tensor == nullptr) {
            faults.emplace(&row, "fits no tensor");
        } else if (!heeds(*tensor, row)) {
            faults.emplace(&row, fmt::format("fits only tensors that are never quantized, such as '{}' ({})",
                                             tensor->name, tensor->reason));
        }
    };
    std::unordered_map<std::string_view, const PlannedTensor*> by_name;
    if (!exact_.empty()) {
        for (const PlannedTensor& tensor : tensors) by_name.emplace(tensor.name, &tensor);
    }
    for (const auto& [name, row] : exact_) {
        const auto found = by_name.find(name);
        judge(*row, found == by_name.end() ? nullptr : found->second);
    }
    for (const Compiled& compiled : compiled_) judge(*compiled.row, compiled.search(tensors));
    std::vector<UnusedOverride> unused;
    unused.reserve(faults.size());
    for (auto& [row, fault] : faults) unused.push_back({*row, std::move(fault)});
    return unused;
}

}  // namespace ggufkit::plan
