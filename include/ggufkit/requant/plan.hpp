// The plan: what every output tensor will be, and where, before the first byte is written.
//
// Purpose: file types (recipes) as data; make_plan() chooses the type of every tensor as the reference does, and
//   lays the file out.
//
//     const auto* file_type = ggufkit::find_file_type("Q4_K_M");
//     const auto plan = ggufkit::make_plan(*model, {.types = ggufkit::Mix{.file_type = file_type}});
//     if (!plan) return complain(plan.error());
//     for (const auto& tensor : plan->tensors) fmt::print("{} at {}: {}\n", tensor.name, tensor.offset, tensor.reason);
//     fmt::print("{} bytes, {:.2f} bits per weight\n", plan->bytes_out(), plan->bpw());
//
// Ownership: a Plan owns its text and the header's bytes; it names source tensors by index into the Model it was
//   made from, and borrows the numbers of the Imatrix.
// Thread-safety: make_plan() is pure.
// Source: spec/recipes.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <stop_token>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include <ggufkit/error.hpp>
#include <ggufkit/format.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/quant/imatrix.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/provenance.hpp>
#include <ggufkit/writer.hpp>

namespace ggufkit {

// A file type (llama_ftype, general.file_type): a mix of tensor types, not a tensor type.
struct FileType {
    std::uint32_t id;
    std::string_view name;     // "Q4_K_M"
    TensorType default_type;   // of tensors that no rule singles out
    std::string_view summary;  // for --help: "Q4_K; Q6_K for half of attn_v and ffn_down: a good default"
};

std::span<const FileType> file_types() noexcept;                 // in order of id
const FileType* find_file_type(std::string_view name) noexcept;  // any case; the aliases Q3_K, Q4_K, Q5_K, ALL_F32 too
const FileType* find_file_type(std::uint32_t id) noexcept;

// A tensor's whole name, where a pattern could be given.
struct TensorName {
    explicit TensorName(std::string name) : text(std::move(name)) {}
    std::string text;
};

// Gives a type to one tensor, or (`--tensor-type REGEX=TYPE`) to all tensors whose name contains a match of a regular
// expression (ECMAScript, lower-cased as the reference does).
struct TypeOverride {
    std::variant<std::string, TensorName> tensors;
    TensorType type;
    std::string from{};  // where it stands, as "m.recipe, line 3"; empty: on the command line

    // The regular expression; for a name, the one that matches this name and no other: "^blk\.0\.attn_q\.weight$".
    std::string pattern() const;
};

// A token by its text; stands for its id in the vocabulary of the output.
struct TokenText {
    explicit TokenText(std::string token) : text(std::move(token)) {}
    std::string text;
};

// Sets a key of the metadata, and what planning believes of the model.
//
// A Value is written as it is (`--set-kv`). The other alternatives (`--override-kv`) must suit the key: a key of the
// namespaces that runtimes read (general., tokenizer., adapter., clip., ARCH.) keeps its type, and a known key that the
// source lacks gets its kind. Elsewhere an integer keeps the key's type if that is an integer type and holds the value, else
// it gets the first of u32, i32, u64, i64 that does; a float is f64 where the key is, else f32.
struct KeyOverride {
    std::string key;
    std::variant<std::int64_t, std::uint64_t, double, bool, std::string, Value, TokenText> value;
};

// The output is one file where the limits allow it. A tensor larger than max_bytes has a file to itself.
struct SplitLimits {
    std::uint64_t max_bytes = 0;    // of tensor data, padding included, in a file; 0: no limit
    std::uint64_t max_tensors = 0;  // in a file; 0: no limit
};

// The output has as many files as the source, with the same tensors in the same order.
struct SplitAsSource {};

using Split = std::variant<SplitLimits, SplitAsSource>;

// Every tensor keeps its bytes, and the model its file type.
struct Copy {};

// Tensors get the types of a file type, but for the user's wishes.
struct Mix {
    const FileType* file_type = nullptr;               // null: a size target chooses one; no plan without
    bool pure = false;                                 // the default type everywhere
    bool leave_output = false;                         // output.weight is copied
    std::optional<TensorType> output_type{};           // of output.weight, or of the token embeddings that serve as it
    std::optional<TensorType> token_embedding_type{};  // goes before output_type; both go before `overrides`
    std::vector<TypeOverride> overrides{};             // the first that fits a tensor wins
    const Imatrix* imatrix = nullptr;                  // borrowed; some file types depend on whether there is one
    bool imatrix_gaps_allowed = false;  // tensors that need what it lacks are made without, rather than refused
};

// What to make of a model.
struct Recipe {
    std::variant<Mix, Copy> types{};
    Effort effort = Effort::normal;
    std::vector<std::uint32_t> pruned_layers{};  // blocks to leave out; the others are numbered anew
    std::vector<std::string> removed_keys{};     // globs: keys of the source that fit one are left out
    std::vector<KeyOverride> metadata{};         // set after that, in order: the last one wins
    std::optional<ByteOrder> byte_order{};       // none: the source's
    Split split{};
    const Provenance* provenance = nullptr;  // borrowed; where given, the output says what it was made from

    // Null for a copy.
    const Mix* mix() const { return std::get_if<Mix>(&types); }
    Mix* mix() { return std::get_if<Mix>(&types); }
};

// Who says which type a tensor gets.
enum class Chooser : std::uint8_t {
    none,       // it is copied in any case: a norm, a bias, a vector
    user,       // --tensor-type and its like
    file_type,  // so a size target may choose another
};

struct PlannedTensor {
    std::string name;    // in the output
    std::size_t source;  // index into Model::tensors()
    TensorType from;
    TensorType to;  // equal to `from`: the bytes are copied
    std::uint32_t n_dims;
    std::array<std::uint64_t, max_dims> ne;
    std::uint64_t bytes_in;
    std::uint64_t bytes_out;
    std::uint32_t file = 0;  // index into Plan::files
    std::uint64_t offset;    // in that file, absolute
    std::string reason;  // "recipe: attn_v, a layer with more bits", "copied: one-dimensional", "fallback: …", …
    Chooser chooser = Chooser::none;
    std::optional<TensorType> wanted{};   // the type that was chosen, where rows are no whole number of its blocks
    std::span<const float> importance{};  // ne[0] weights for each matrix, or none; borrowed from the imatrix
    std::uint32_t unseen = 0;             // matrices (experts) that the calibration text never reached
    std::string_view importance_from{};   // the imatrix entry of another name that it was made from; borrowed too

    std::uint64_t rows() const { return ne[1] * ne[2] * ne[3]; }
};

// A tensor that is quantized without importance, though its type needs some or the others have it.
struct ImatrixGap {
    enum class Kind : std::uint8_t {
        no_imatrix,
        no_entry,
        uncounted,  // the text never reached any of its matrices
        other_size  // the imatrix has another shape
    };
    std::size_t tensor;  // index into Plan::tensors
    bool fatal;          // check_executable() refuses: its type needs it, or the imatrix has another shape
    std::string detail;  // "no entry in the imatrix", "256 weights in the imatrix, not 1024", …
    Kind kind;
};

// One of Mix::overrides that changes nothing, whatever stands before it: most likely a slip of the pen.
struct UnusedOverride {
    TypeOverride row;
    std::string detail;  // "fits no tensor", "fits only tensors that are never quantized, such as …"
};

struct Plan {
    std::uint64_t model = 0;                         // Model::identity() of the model that it was made from
    const FileType* file_type = nullptr;             // null: a copy
    const Imatrix* imatrix = nullptr;                // borrowed
    std::vector<ImatrixGap> imatrix_gaps{};          // in the order of the tensors
    std::vector<std::string> unmatched_entries{};    // of the imatrix: they fit no tensor of the model
    std::vector<UnusedOverride> unused_overrides{};  // in the order of the recipe
    std::vector<std::string> metadata_notes{};       // edits that change nothing, or that runtimes may not read
    Effort effort = Effort::normal;
    std::vector<PlannedTensor> tensors;  // in the output's order
    std::vector<Layout> files;           // the one output file, or the shards of a split one
    ByteOrder byte_order = ByteOrder::little;

    std::uint64_t bytes_in() const;
    std::uint64_t bytes_out() const;  // of all files, headers and padding included
    double bpw() const;               // bits of tensor data a weight
    bool converts() const;            // whether any tensor changes its type
};

// Errors: BAD_ARGUMENT (a mix without a file type; a mix of an importance matrix or a control vector; a bad regular
// expression, with its text, or one that takes too many steps; an imatrix without an entry for any tensor of the model,
// unless gaps are allowed; layers to prune that the model lacks, or all of its layers; an override of a split.* key; a
// provenance of another model; more than 65,535 files; a value that its key cannot have; a token that the vocabulary
// lacks; an alignment above 64 KiB, or one whose padding exceeds the data), CANCELLED, all errors of TensorInfo::bytes()
// and make_layout().
Result<Plan> make_plan(const Model& model, const Recipe& recipe, const std::stop_token& stop = {});

// What a user may not expect of a plan, though it is as the recipe says.
struct PlanNote {
    enum class Kind : std::uint8_t {
        fallback,           // rows are no whole number of blocks of the type, so that tensors get another one
        forced_fallback,    // those of them whose type the user asked for by name
        larger,             // matrices that are never quantized, where they take much of the file
        grown,              // tensors that take more bytes than in the source
        unseen_experts,     // tensors with experts that the text of the imatrix never reached
        adapted_entries,    // tensors that take their importance from entries of other names: see Imatrix::adapted()
        unmatched_entries,  // entries of the imatrix that fit no tensor
    };
    Kind kind;
    std::string text;                // "5 tensors grow (Q4_K to Q8_0)"; without names
    std::vector<std::string> names;  // of the tensors, or of the entries, in order
};
std::string_view name(PlanNote::Kind kind) noexcept;  // "fallback", "forced_fallback", …

// At most one of a kind, in the order of the kinds.
std::vector<PlanNote> notes_of(const Plan& plan);

// Whether a plan can be carried out here, which showing it does not ask for. UNSUPPORTED names the first tensor whose
// type cannot be read or made, or the first of the fatal gaps in the imatrix and how many more there are.
Result<void> check_executable(const Plan& plan);
// The same for one tensor: whether its type can be read, and the planned one made.
Result<void> check_executable(const PlannedTensor& tensor);

// The paths of a plan's files, in their order: `output` itself where there is one; else shards beside it, named after it
// without its ".gguf": NAME-00001-of-00003.gguf.
std::vector<std::filesystem::path> output_paths(const Plan& plan, const std::filesystem::path& output);

}  // namespace ggufkit
