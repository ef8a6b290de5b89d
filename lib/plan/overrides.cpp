#include "plan/overrides.hpp"

#include <fmt/format.h>

#include <ggufkit/recipe_file.hpp>
#include <map>
#include <string>
#include <utility>

#include "core/ascii.hpp"

namespace ggufkit::plan {

namespace {

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
        auto pattern = Pattern::compile(lower_case(row.pattern));
        if (!pattern) return bad_pattern(row, pattern.error().detail);
        overrides.compiled_.push_back({*std::move(pattern), &row});
    }
    return overrides;
}

Result<bool> Overrides::Compiled::is_found_in(std::string_view name) const {
    auto found = pattern.found_in(name);
    return found ? found : bad_pattern(*row, found.error().detail);
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
const PlannedTensor* Overrides::Compiled::search(std::span<const PlannedTensor> tensors,
                                                 const std::stop_token& stop) const {
    const PlannedTensor* first = nullptr;
    for (const PlannedTensor& tensor : tensors) {
        if (stop.stop_requested()) break;
        if (!is_found_in(tensor.name).value_or(false)) continue;
        if (heeds(tensor, *row)) return &tensor;
        if (first == nullptr) first = &tensor;
    }
    return first;
}

Result<std::vector<UnusedOverride>> Overrides::unused(std::span<const PlannedTensor> tensors,
                                                      const std::stop_token& stop) const {
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
    for (const Compiled& compiled : compiled_) judge(*compiled.row, compiled.search(tensors, stop));
    if (stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
    std::vector<UnusedOverride> unused;
    unused.reserve(faults.size());
    for (auto& [row, fault] : faults) unused.push_back({*row, std::move(fault)});
    return unused;
}

}  // namespace ggufkit::plan
