// --target-size and its like: types that fit a size.
#pragma once

#include <cstdint>
#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/target.hpp>
#include <optional>
#include <string>

#include "arguments.hpp"
#include "common/console.hpp"
#include "options.hpp"

namespace ggufkit::tool::requant {

struct Target {
    std::optional<std::uint64_t> bytes{};   // of all files
    std::optional<std::uint64_t> device{};  // bytes of its memory
    std::uint64_t context = 0;              // tokens that it must have room for; 0: as trained
    std::optional<double> bits{};           // a weight
    std::string flag;                       // "--target-size 22GiB"
    std::string label;                      // for the name of an output that was given none: "22GiB", "4.5bpw"
};

// Nothing where none is asked for. BAD_ARGUMENT where what is asked for cannot be understood.
Result<std::optional<Target>> target_of(const Options& options);

// BAD_ARGUMENT where a target has nothing to choose for, or more than one output.
Result<void> check_target(const Request& request, const Recipe& recipe);

// Measures, with a progress bar, and chooses; `request` learns what came of it. Errors: those of measure() and fit(), the
// latter in words for the user.
Result<Plan> reach(const Console& console, const Model& model, const Recipe& recipe, const Target& target,
                   Request& request);

}  // namespace ggufkit::tool::requant
