// Recipe files: which tensor gets which type, as text that can be kept, edited and given back.
//
// Purpose: reads and prints the files of --tensor-type-file, and the recipe that --provenance keeps.
// Ownership: a RecipeFile owns its text; file types are static.
// Thread-safety: pure functions.
// Source: spec/recipes.md, "Recipe files".
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/plan.hpp>

namespace ggufkit {

struct RecipeFile {
    const FileType* file_type = nullptr;  // null: the file names none
    std::vector<TypeOverride> overrides;  // in the order of the file: the first match wins
};

// "q6_k". BAD_ARGUMENT where weights cannot have that type.
Result<TensorType> parse_weight_type(std::string_view name);

// "FFN_DOWN=q6_k". BAD_ARGUMENT where it is not REGEX=TYPE, or weights cannot have that type.
Result<TypeOverride> parse_override(std::string_view text);

// BAD_ARGUMENT with the line as subject. The regular expressions are compiled by make_plan(), which names a bad one.
Result<RecipeFile> parse_recipe_file(std::string_view text);

// The same of a file. IO_OPEN, IO_READ, IO_CHANGED; otherwise the errors above with the path and the line.
Result<RecipeFile> read_recipe_file(const std::filesystem::path& path);

// A pattern that is found in this name and, of names that tensors have, in no other. Characters that a recipe file or a
// pattern (which is made lower case) cannot hold as they are stand as dots.
std::string exact_pattern(std::string_view tensor);

// A line of a recipe file: "REGEX=TYPE\n", or with a comment "REGEX=TYPE  # comment\n".
std::string recipe_line(const TypeOverride& row, std::string_view comment = {});

// "file_type = Q4_K_M\n".
std::string recipe_line(const FileType& file_type);

}  // namespace ggufkit
