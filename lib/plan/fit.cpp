// From a budget to a plan.
#include <fmt/format.h>

#include <algorithm>
#include <ggufkit/recipe_file.hpp>
#include <ggufkit/target.hpp>
#include <unordered_map>

namespace ggufkit {

namespace {

std::string describe(const TypeOption& option) {
    return fmt::format("error {:.2g}, {} bytes", option.error, option.bytes);
}

// The fixed file type whose file is nearest in size, for general.file_type: a number that readers show and nothing depends
// on. Only those that could be made here as they are, and of the formats that mixes are made of.
Result<const FileType*> nearest_file_type(const Model& model, Recipe recipe, std::uint64_t bytes) {
    const FileType* nearest = nullptr;
    std::uint64_t least = 0;
    for (const FileType& type : file_types()) {
        const Family family = format_of(type.default_type).family;
        if (family == Family::ternary || family == Family::fp4) continue;
        recipe.file_type = &type;
        const auto plan = make_plan(model, recipe);
        if (!plan) return fail(plan.error());
        if (!check_executable(*plan)) continue;
        const std::uint64_t size = plan->bytes_out();
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
    auto solution = solve(measurement, budget);
    if (!solution) return fail(std::move(solution).error());
    Fit fit{.recipe = recipe, .plan = {}, .solution = *std::move(solution)};
    if (recipe.file_type == nullptr) {
        const auto type = nearest_file_type(model, recipe, fit.solution.bytes);
        if (!type) return tl::unexpected(type.error());
        fit.recipe.file_type = *type;
    }
    add_rows(fit.recipe, measurement, fit.solution);
    auto plan = make_plan(model, fit.recipe);
    if (!plan) return tl::unexpected(std::move(plan).error());
    fit.plan = *std::move(plan);
    explain(fit.plan, measurement, fit.solution);
    return fit;
}

std::string recipe_text(const Fit& fit, const Measurement& measurement) {
    std::string text = fmt::format("# {} bytes, {:.3f} bits a weight\n", fit.plan.bytes_out(), fit.plan.bpw());
    text += recipe_line(*fit.recipe.file_type);
    const std::size_t asked = fit.recipe.overrides.size() - measurement.tensors.size();
    for (std::size_t i = 0; i < asked; ++i) text += recipe_line(fit.recipe.overrides[i], "as asked for");
    for (std::size_t i = 0; i < measurement.tensors.size(); ++i) {
        const TypeOption& option = measurement.tensors[i].options[fit.solution.choice[i]];
        text += recipe_line(fit.recipe.overrides[asked + i], describe(option));
    }
    return text;
}

}  // namespace ggufkit
