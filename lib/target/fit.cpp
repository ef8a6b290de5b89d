// From a budget to a plan.
#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <ggufkit/requant/target.hpp>
#include <unordered_map>

#include "core/try.hpp"
#include "plan/file_types.hpp"

namespace ggufkit::target {

namespace {

std::string describe(const TypeOption& option) {
    return fmt::format("error {:.2g}, {} bytes", option.error, option.bytes);
}

// What a plan's files hold besides headers. These differ by the label of what is converted.
std::uint64_t data_bytes(const Plan& plan) {
    std::uint64_t bytes = plan.bytes_out();
    for (const Layout& file : plan.files) bytes -= std::min(file.data_offset, file.file_bytes);
    return bytes;
}

// The fixed file type whose tensor data is nearest in size, for general.file_type: a number that readers show and nothing
// depends on. Only those that could be made here as they are, and of the formats that mixes are made of.
const FileType* nearest_file_type(const Model& model, Recipe recipe, std::uint64_t bytes) {
    const FileType* nearest = nullptr;
    std::uint64_t least = 0;
    for (const FileType& type : file_types()) {
        const Family family = format_of(type.default_type).family;
        if (family == Family::ternary || family == Family::fp4) continue;
        if (plan::id_of(type) == plan::FileTypeId::Q2_K_S) continue;  // there, Q2_K would need an imatrix
        recipe.mix()->file_type = &type;
        const auto plan = make_plan(model, recipe);
        if (!plan || !check_executable(*plan)) continue;
        const std::uint64_t size = data_bytes(*plan);
        const std::uint64_t distance = size > bytes ? size - bytes : bytes - size;
        if (nearest == nullptr || distance < least) nearest = &type, least = distance;
    }
    return nearest;
}

// The choice that needs the least room.
Result<Solution> smallest(const Measurement& measurement) {
    std::uint64_t bytes = measurement.fixed_bytes;
    for (const MeasuredTensor& tensor : measurement.tensors) bytes += tensor.options.front().bytes;
    return solve(measurement, bytes);
}

// The recipe with a row for each measured tensor after its own.
Result<Plan> plan_of(const Model& model, Recipe recipe, const Measurement& measurement, const Solution& solution) {
    Mix& mix = *recipe.mix();
    if (mix.file_type == nullptr) {
        mix.file_type = nearest_file_type(model, recipe, solution.bytes - measurement.header_bytes);
    }
    for (std::size_t i = 0; i < measurement.tensors.size(); ++i) {
        const MeasuredTensor& tensor = measurement.tensors[i];
        mix.overrides.push_back({TensorName(tensor.name), tensor.options[solution.choice[i]].type});
    }
    return make_plan(model, recipe);
}

// The rows were not the user's, but the reasons say that a row decided.
void explain(Plan& plan, const Measurement& measurement, const Solution& solution) {
    std::unordered_map<std::string_view, std::size_t> measured;
    for (std::size_t i = 0; i < measurement.tensors.size(); ++i) measured.emplace(measurement.tensors[i].name, i);
    for (PlannedTensor& tensor : plan.tensors) {
        const auto found = measured.find(tensor.name);
        if (found == measured.end() || tensor.from == tensor.to) continue;
        const auto& options = measurement.tensors[found->second].options;
        tensor.reason = "target: " + describe(options[solution.choice[found->second]]);
    }
}

}  // namespace

Result<Fit> fit(const Model& model, const Recipe& recipe, const Measurement& measurement, std::uint64_t budget) {
    assert(recipe.mix() != nullptr);  // or there would be no measurement
    // Only its plan tells what a choice adds to the headers: more shards, or the rows of a recipe that the file keeps. That
    // is set aside, and types are chosen once more.
    std::uint64_t aside = 0;
    for (;;) {
        auto solution = solve(measurement, budget > aside ? budget - aside : 0);
        const bool possible = solution.has_value();
        if (!possible) solution = smallest(measurement);
        TRY_LET(auto plan, plan_of(model, recipe, measurement, *solution));
        const std::uint64_t bytes = plan.bytes_out();
        if (bytes <= budget) {
            explain(plan, measurement, *solution);
            solution->bytes = bytes;
            return Fit{std::move(plan), *std::move(solution)};
        }
        if (!possible) {
            return fail({.code = Errc::out_of_range,
                         .detail = fmt::format("the smallest that can be made of this model has {} bytes", bytes)});
        }
        aside = std::max(aside + aside / 8, bytes - solution->bytes);
    }
}

}  // namespace ggufkit::target
