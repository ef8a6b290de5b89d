// The ways to look at an inspected file.
#pragma once

#include <ggufkit/error.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "common/console.hpp"
#include "common/json.hpp"
#include "common/table.hpp"
#include "inspection.hpp"
#include "memory_chart.hpp"

namespace ggufkit::tool::info {

// What the model is: the lines of its summary, those that it has something to say in. None of a file that could not be
// read.
struct Row {
    std::string_view label;
    Cell cell;
};
std::vector<Row> summary_rows(const Inspection& inspection);

// Of a split model, which shards are there: "shard 2 of 3", "shards 1 to 4, 6 of 7".
std::string shards_text(const Model& model);

// On one screen of 80 by 24.
void print_summary(Console& console, const Inspection& inspection);

// Which keys and tensors, by a pattern of the shell (`blk.0.*`), and in which order.
enum class Sort : std::uint8_t { file, name, size, type, offset };
struct Selection {
    std::string pattern = "*";
    Sort sort = Sort::file;  // by size: the largest first; by offset: as the data, or the keys, follow one another
    bool in_full = false;    // more about each
};

// One line a key, a tensor, a finding.
// False where there are some, but the pattern fits none.
bool print_metadata(Console& console, const Model& model, const Selection& selection);
bool print_tensors(Console& console, const Model& model, const Selection& selection);

void print_diagnostics(Console& console, const Inspection& inspection, Profile profile);

// Sums by layer and by type.
void print_layers(Console& console, const Model& model);
void print_types(Console& console, const Model& model);

// The names of the chat templates that the model has; the one without a name is "default", and comes first.
std::vector<std::string> template_names(const Model& model);
// The template of this name; where it is empty, the default one, with a note on standard error of what others there are.
// NOT_FOUND.
Result<void> print_template(Console& console, const Model& model, std::string_view name);
// False where there is none.
bool print_tokenizer(Console& console, const Inspection& inspection);

// One value, or some elements of an array ("KEY[3]", "KEY[3:9]"), as they are or as JSON. NOT_FOUND.
Result<void> print_one(Console& console, const Model& model, std::string_view expression, bool as_json);
// Bytes as they are into a pipe, made safe on a terminal.
void print_raw(Console& console, std::string_view text);

// The headers of all shards, byte by byte.
void print_header_hex(Console& console, const Model& model);

// A page for a browser, of a file whose header could be read. `tool`: "gguf-info 0.1.0". Errors: those of save().
Result<void> save_html(Console& console, const std::filesystem::path& path, const Inspection& inspection,
                       const std::optional<MemoryChart>& memory, std::string_view tool, bool overwrite);

// What this program knows: every tensor type and file type.
void print_known_types(Console& console);

// All of it for programs: spec/json.md.
void print_json(Console& console, const Inspection& inspection);
// The same as a value within a document, with the file's name.
void write_file(JsonWriter& json, const Inspection& inspection);

}  // namespace ggufkit::tool::info
