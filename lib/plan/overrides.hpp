// `--tensor-type REGEX=TYPE`, compiled.
#pragma once

#include <regex>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include <ggufkit/plan.hpp>

namespace ggufkit::plan {

// A recipe has a row for each tensor: exact patterns are looked up, and only the others searched for.
class Overrides {
  public:
    // Borrows `rows`. BAD_ARGUMENT with the text of a pattern that is no regular expression.
    static Result<Overrides> compile(std::span<const TypeOverride> rows);

    // The first row whose pattern is found in the name, or null. BAD_ARGUMENT where matching takes too much.
    Result<const TypeOverride*> find(std::string_view name) const;

  private:
    struct Compiled {
        std::regex pattern;
        const TypeOverride* row;
    };
    std::unordered_map<std::string, const TypeOverride*> exact_;  // by name; of several rows the first
    std::vector<Compiled> compiled_;                              // the other rows, in order
};

}  // namespace ggufkit::plan
