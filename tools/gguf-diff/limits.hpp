// --fail-above: what a tensor's error may be.
#pragma once

#include <ggufkit/diff/diff.hpp>
#include <ggufkit/error.hpp>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ggufkit::tool::diff {

// A number by which more is worse; nothing where it is not known.
struct Metric {
    std::string_view name;
    std::optional<double> (*of)(const ErrorSums& sums);
    bool by_importance = false;  // an importance matrix is needed
};

// For --help, in lines.
std::string metric_names();
// For completions: "max=".
std::vector<std::string> metric_beginnings();

struct Limit {
    const Metric* metric;
    double most;
};

// BAD_ARGUMENT says what was not understood.
Result<std::vector<Limit>> read_limits(std::span<const std::string> texts);

// A tensor that is not what it is compared with, and how far it is from that.
struct Judged {
    std::string_view tensor;
    const ErrorSums* error;  // null: no metric measures the difference
};

struct Breach {
    std::string_view tensor;
    std::string what;  // in words
};

// Tensors that could not be compared, and for each limit the tensor that breaks it worst, the first of several.
std::vector<Breach> breaches(std::span<const Judged> tensors, std::span<const Limit> limits);

}  // namespace ggufkit::tool::diff
