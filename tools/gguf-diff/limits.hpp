// --fail-above: what a tensor's error may be.
#pragma once

#include <ggufkit/diff.hpp>
#include <ggufkit/error.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "comparison.hpp"

namespace ggufkit::diff {

// A number by which more is worse; nothing where it is not known.
struct Metric {
    std::string_view name;
    std::optional<double> (*of)(const ErrorSums& sums);
};

// For --help, in lines.
std::string metric_names();

struct Limit {
    const Metric* metric;
    double most;
};

// BAD_ARGUMENT says what was not understood.
Result<std::vector<Limit>> read_limits(std::span<const std::string> texts);

struct Breach {
    std::string_view tensor;
    std::string what;  // in words
};

// The first tensor that breaks each limit worst; tensors that differ and could not be compared.
std::vector<Breach> breaches(const Comparison& comparison, std::span<const Limit> limits);

}  // namespace ggufkit::diff
