// `--tensor-type REGEX=TYPE`, compiled.
#pragma once

#include <regex>
#include <span>
#include <string_view>
#include <vector>

#include <ggufkit/plan.hpp>

namespace ggufkit::plan {

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
    std::vector<Compiled> compiled_;
};

}  // namespace ggufkit::plan
