#include "plan/overrides.hpp"

#include <fmt/format.h>

#include <map>
#include <string>
#include <utility>

#include "core/ascii.hpp"
#include "core/try.hpp"

namespace ggufkit::plan {

namespace {

tl::unexpected<Error> bad_pattern(const TypeOverride& row, std::string_view why) {
    return fail({.code = Errc::bad_argument,
                 .subject = fmt::format("{} '{}'", row.from.empty() ? "--tensor-type" : row.from + ":", row.pattern()),
                 .detail = std::string(why)});
}

// Whether the tensor has the row's type, or might have: a row before it may have gone first.
bool heeds(const PlannedTensor& tensor, const TypeOverride& row) {
    return tensor.chooser != Chooser::none || tensor.to == row.type;
}

}  // namespace

Result<Overrides> Overrides::compile(std::span<const TypeOverride> rows) {
    Overrides overrides;
    overrides.rows_ = rows;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (const auto* name = std::get_if<TensorName>(&rows[i].tensors)) {
            overrides.row_of_name_.emplace(name->text, i);
            continue;
        }
        auto pattern = Pattern::compile(lower_case(std::get<std::string>(rows[i].tensors)));
        if (!pattern) return bad_pattern(rows[i], pattern.error().detail);
        overrides.searched_.push_back({i, *std::move(pattern)});
    }
    return overrides;
}

Result<bool> Overrides::is_found_in(std::string_view name, const Searched& searched) const {
    auto found = searched.pattern.found_in(name);
    return found ? found : bad_pattern(rows_[searched.row], found.error().detail);
}

Result<const TypeOverride*> Overrides::find(std::string_view name) const {
    const auto named = row_of_name_.find(name);
    const std::size_t last = named == row_of_name_.end() ? rows_.size() : named->second;
    for (const Searched& searched : searched_) {
        if (searched.row > last) break;
        TRY_LET(const auto found, is_found_in(name, searched));
        if (found) return &rows_[searched.row];
    }
    return last < rows_.size() ? &rows_[last] : nullptr;
}

// One that heeds the row, if the pattern is found in such a one; else another that it is found in, or null.
const PlannedTensor* Overrides::search(std::span<const PlannedTensor> tensors, const Searched& searched,
                                       const std::stop_token& stop) const {
    const PlannedTensor* first = nullptr;
    for (const PlannedTensor& tensor : tensors) {
        if (stop.stop_requested()) break;
        if (!is_found_in(tensor.name, searched).value_or(false)) continue;
        if (heeds(tensor, rows_[searched.row])) return &tensor;
        if (first == nullptr) first = &tensor;
    }
    return first;
}

Result<std::vector<UnusedOverride>> Overrides::unused(std::span<const PlannedTensor> tensors,
                                                      const std::stop_token& stop) const {
    std::map<std::size_t, std::string> faults;
    const auto judge = [&](std::size_t row, const PlannedTensor* tensor) {
        if (tensor == nullptr) {
            faults.emplace(row, "fits no tensor");
        } else if (!heeds(*tensor, rows_[row])) {
            faults.emplace(row, fmt::format("fits only tensors that are never quantized, such as '{}' ({})",
                                            tensor->name, tensor->reason));
        }
    };
    std::unordered_map<std::string_view, const PlannedTensor*> by_name;
    if (!row_of_name_.empty()) {
        for (const PlannedTensor& tensor : tensors) by_name.emplace(tensor.name, &tensor);
    }
    for (const auto& [name, row] : row_of_name_) {
        const auto found = by_name.find(name);
        judge(row, found == by_name.end() ? nullptr : found->second);
    }
    for (const Searched& searched : searched_) judge(searched.row, search(tensors, searched, stop));
    if (stop.stop_requested()) return fail({.code = Errc::cancelled, .detail = "stopped on request"});
    std::vector<UnusedOverride> unused;
    unused.reserve(faults.size());
    for (auto& [row, fault] : faults) unused.push_back({rows_[row], std::move(fault)});
    return unused;
}

}  // namespace ggufkit::plan
