// Recipe files: which tensor gets which type, as text that can be kept, edited and given back.
//
// Purpose: reads and prints the files of --recipe, --save-recipe and --tensor-type-file, and the recipe that --provenance keeps.
//
//     const auto file = ggufkit::read_recipe_file("m.recipe");
//     if (!file) return complain(file.error());
//     const ggufkit::Mix mix{.file_type = file->file_type, .overrides = file->overrides};
//     const auto plan = ggufkit::make_plan(*model, {.types = mix});
//     const std::string text = ggufkit::recipe_text(*plan);  // a recipe file that makes the same plan
//
// Ownership: a RecipeFile owns its text; file types are static.
// Thread-safety: pure functions.
// Source: spec/recipes.md, "Recipe files".
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/requant/plan.hpp>

namespace ggufkit {

struct RecipeFile {
    const FileType* file_type = nullptr;  // null: the file names none
    std::vector<TypeOverride> overrides;  // in the order of the file: the first match wins
};

// "q6_k". BAD_ARGUMENT where weights cannot have that type.
Result<TensorType> parse_weight_type(std::string_view name);

// "FFN_DOWN=q6_k". A regular expression that recipe_text() writes for a name is read as that name. BAD_ARGUMENT where it
// is not REGEX=TYPE, or weights cannot have that type.
Result<TypeOverride> parse_override(std::string_view text);

// Rows know where they stand: "line 3". BAD_ARGUMENT with the line as subject. The regular expressions are compiled by make_plan(), which names a bad one.
Result<RecipeFile> parse_recipe_file(std::string_view text);

// The same of a file; rows stand in "NAME, line 3". IO_OPEN, IO_READ, IO_CHANGED; otherwise the errors above with the path and the line.
Result<RecipeFile> read_recipe_file(const std::filesystem::path& path);

// The whole file for a plan: the type of each tensor that is not copied in any case, with the reason in a comment. With the
// same source, imatrix and other options it makes the same plan.
std::string recipe_text(const Plan& plan);

}  // namespace ggufkit
