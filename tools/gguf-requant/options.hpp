// The flags of gguf-requant: their names and help, and what they make of a recipe.
#pragma once

#include <filesystem>
#include <ggufkit/error.hpp>
#include <ggufkit/requant/plan.hpp>
#include <optional>
#include <string>
#include <vector>

#include "arguments.hpp"
#include "common/command_line.hpp"

namespace ggufkit::tool::requant {

// As they stand on the command line.
struct Options {
    std::vector<std::string> positionals;

    std::vector<std::string> tensor_types;
    std::optional<std::string> tensor_type_file;
    std::optional<std::string> output_tensor_type;
    std::optional<std::string> token_embedding_type;
    bool leave_output_tensor = false;
    bool pure = false;
    bool allow_requantize = false;

    std::optional<std::string> target_size;
    std::optional<std::string> target_bpw;
    std::optional<std::string> target_device;
    std::optional<std::uint64_t> ctx;
    std::optional<std::string> recipe;
    std::optional<std::string> save_recipe;

    std::optional<std::string> imatrix;
    std::vector<std::string> include_weights;
    std::vector<std::string> exclude_weights;
    std::string imatrix_missing = "error";

    std::optional<std::string> prune_layers;
    std::vector<std::string> override_kv;
    std::vector<std::string> set_kv;
    std::vector<std::string> remove_kv;
    std::optional<std::string> byte_order;

    std::optional<std::string> split_max_size;
    std::optional<std::uint64_t> split_max_tensors;
    bool keep_split = false;
    std::vector<std::string> reports;
    bool provenance = false;
    bool force = false;

    std::optional<std::string> shm;
    std::optional<std::string> shm_remove;
    std::optional<int> zstd_level;

    std::string threads;
    std::string effort = "default";
    bool dry_run = false;
    bool resume = false;
    std::optional<std::string> max_buffer_size;  // not used
    std::optional<double> checkpoint;
    bool json = false;
    bool list_types = false;
};

Manual manual();

// For Manual::choices: the types, and how long to search.
std::map<std::string, std::vector<std::string>> choices();

void add_options(CLI::App& app, Options& options);

// A mix without its imatrix; its file type is the one in the file of --recipe, if there is one. BAD_ARGUMENT says in
// `detail` what was not understood; also the errors of read_recipe_file().
Result<Recipe> recipe_of(const Options& options);

// The recipe for one output: the same with its file type, or a copy. BAD_ARGUMENT where a copy leaves the recipe something
// that it cannot have.
Result<Recipe> recipe_for(const Request::Wanted& output, Recipe recipe);

// The imatrix, less what --include-weights and --exclude-weights leave out; nothing where there is none. Errors: those
// of Imatrix::open(); BAD_ARGUMENT where nothing is left. A NAME that no entry has is noted.
Result<std::optional<Imatrix>> imatrix_of(const Options& options, const Console& console);

}  // namespace ggufkit::tool::requant
