// `--tensor-type REGEX=TYPE`, compiled.
#pragma once

#include <cstddef>
#include <span>
#include <stop_token>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <ggufkit/requant/plan.hpp>

#include "plan/pattern.hpp"

namespace ggufkit::plan {

// A recipe may have a row for each tensor: names are looked up, and only patterns are searched for.
class Overrides {
  public:
    // Borrows `rows`. BAD_ARGUMENT names a pattern that is not a regular expression.
    static Result<Overrides> compile(std::span<const TypeOverride> rows);

    // The first row whose pattern is found in the name, or null. BAD_ARGUMENT names a pattern that takes too many steps.
    Result<const TypeOverride*> find(std::string_view name) const;

    // The rows, in order, whose pattern is found in no tensor's name, or only in those of tensors that no recipe converts
    // and that have another type. One that an earlier row leaves nothing to say is not among them.
    // CANCELLED.
    Result<std::vector<UnusedOverride>> unused(std::span<const PlannedTensor> tensors,
                                               const std::stop_token& stop = {}) const;

  private:
    struct Searched {
        std::size_t row;
        Pattern pattern;
    };
    Result<bool> is_found_in(std::string_view name, const Searched& searched) const;
    const PlannedTensor* search(std::span<const PlannedTensor> tensors, const Searched& searched,
                                const std::stop_token& stop) const;

    std::span<const TypeOverride> rows_;
    std::unordered_map<std::string_view, std::size_t> row_of_name_;  // of several rows the first
    std::vector<Searched> searched_;                                 // the other rows, in order
};

}  // namespace ggufkit::plan
