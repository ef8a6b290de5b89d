// From a budget to a plan.
#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/recipe_file.hpp>
#include <ggufkit/target.hpp>
#include <unordered_map>

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
        recipe.file_type = &type;
        const auto plan = make_plan(model, recipe);
        if (!plan || !check_executable(*plan)) continue;
        const std::uint64_t size = data_bytes(*plan);
        const std::uint64_t distance = size > bytes ? size - bytes : bytes - size;
        if (nearest == nullptr || distance < least) nearest = &type, least = distance;
    }
    return nearest;
}

void add_rows(Recipe& recipe, const Measurement& measurement, const Solution& solution) {
    for (std::size_t i = 0; i < measurement.tensors.size(); ++i) {
        const MeasuredTensor& tensor = measurement.tensors[i];
        recipe.overrides.push_back({exact_pattern(tensor.name), tensor.options[solution.choice[i]].type});
    }
}

// The choice that needs the least room.
Result<Solution> smallest(const Measurement& measurement) {
    std::uint64_t bytes = measurement.fixed_bytes;
    for (const MeasuredTensor& tensor : measurement.tensors) bytes += tensor.options.front().bytes;
    return solve(measurement, bytes);
}

Result<Fit> carry_over(const Model& model, const Recipe& recipe, const Measurement& measurement, Solution solution) {
    Fit made{.recipe = recipe, .plan = {}, .solution = std::move(solution)};
    if (recipe.file_type == nullptr) {
        made.recipe.file_type = nearest_file_type(model, recipe, made.solution.bytes - measurement.header_bytes);
    }
    add_rows(made.recipe, measurement, made.solution);
    auto plan = make_plan(model, made.recipe);
    if (!plan) return fail(std::move(plan).error());
    made.plan = *std::move(plan);
    return made;
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
    // What the choice adds to the headers, more shards or the rows of a recipe that the file keeps, only its plan tells. It is set aside,
    // and types are chosen once more.
    std::uint64_t aside = 0;
    for (;;) {
        auto solution = solve(measurement, budget > aside ? budget - aside : 0);
        const bool possible = solution.has_value();
        if (!possible) solution = smallest(measurement);
        auto made = carry_over(model, recipe, measurement, *std::move(solution));
        if (!made) return made;
        const std::uint64_t bytes = made->plan.bytes_out();
        if (bytes <= budget) {
            explain(made->plan, measurement, made->solution);
            made->solution.bytes = bytes;
            return made;
        }
        if (!possible) {
            return fail({.code = Errc::out_of_range,
                         .detail = fmt::format("the smallest that can be made of this model has {} bytes", bytes)});
        }
        aside = std::max(aside + aside / 8, bytes - made->solution.bytes);
    }
}

}  // namespace ggufkit::target
