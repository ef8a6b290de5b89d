// Comparing two models: metadata, structure, bytes, values.
//
// Purpose: what was added, removed and changed between two models, and how far the numbers are apart. Only the models
//   count, not how files hold them: shards, version, byte order, alignment (and the keys that say so:
//   general.alignment, split.*), the order of keys and tensors make no difference.
//
//     const auto diff = ggufkit::compare_models(*a, *b);
//     if (!diff) return complain(diff.error());
//     for (const ggufkit::KeyChange& change : diff->metadata) fmt::print("{}\n", change.key);
//     for (const ggufkit::TensorChange& change : diff->tensors) fmt::print("{}\n", change.name);
//     return diff->same() ? 0 : 1;
//
// Ownership: a Diff owns its names and borrows values and tensors from the two models.
// Thread-safety: one call runs its own threads over immutable models. What it returns depends neither on their number
//   nor on the instruction set.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <ggufkit/digest.hpp>
#include <ggufkit/error.hpp>
#include <ggufkit/model.hpp>
#include <ggufkit/quant/error_sums.hpp>
#include <ggufkit/quant/imatrix.hpp>
#include <ggufkit/work.hpp>

namespace ggufkit {

struct KeyChange {
    enum class Kind : std::uint8_t { added, removed, changed };
    Kind kind;
    std::string key;
    std::optional<ValueView> a;  // absent: added
    std::optional<ValueView> b;  // absent: removed
};

// Blocks of two tensors of one type; of a type without blocks, its elements.
struct BlockDifference {
    static constexpr std::size_t most = 8;
    std::uint64_t blocks = 0;            // that there are
    std::uint64_t differ = 0;            // how many of them have other bytes
    std::vector<std::uint64_t> first{};  // which, no more than `most`
};

// One part of a block, as explain_block() names them, on both sides.
struct PartChange {
    static constexpr std::size_t most = 8;
    struct Number {
        std::uint64_t index;
        double a;
        double b;
    };
    std::string_view name;  // "d", "scale", "code", …
    std::uint64_t count = 0;
    std::uint64_t differ = 0;
    std::vector<Number> first{};  // of those that differ, no more than `most`
};

// Block number `block` of two tensors of one type, part by part; of a type without blocks one weight. Errors: those of
// Model::data() and explain_block(); OUT_OF_RANGE, BAD_ARGUMENT where the types are not the same.
Result<std::vector<PartChange>> explain_difference(const Model& a, const ModelTensor& in_a, const Model& b,
                                                   const ModelTensor& in_b, std::uint64_t block);

struct TensorChange {
    std::string name;                // in A, or in B where A has none
    const ModelTensor* a = nullptr;  // null: added
    const ModelTensor* b = nullptr;  // null: removed
    bool renamed = false;            // the same type, shape and bytes under a name that the other does not have
    bool retyped = false;
    bool reshaped = false;             // trailing dimensions of 1 do not count
    bool bytes_differ = false;         // only looked at where type and shape agree
    bool rescaled = false;             // other factors in NAME.scale: see is_scale()
    bool scale = false;                // is_scale() in A and B, where they have it: the factors of another tensor
    BlockDifference blocks{};          // where bytes differ
    std::optional<Digest> digest_a{};  // where bytes differ, and DiffOptions::digests
    std::optional<Digest> digest_b{};
};

struct Diff {
    std::vector<KeyChange> metadata;    // in order of key
    std::vector<TensorChange> tensors;  // only those that differ, in the order of A, then those only in B
    std::size_t tensors_equal = 0;
    bool same() const { return metadata.empty() && tensors.empty(); }
};

struct DiffOptions {
    Work work{};  // progress in bytes of A that were compared with B's
    // Keys that do not count: patterns as a shell has them, with * ? [a-z].
    std::vector<std::string> ignored_keys{};
    // Floats x and y in metadata are equal where |x - y| is no more than this share of the greater one.
    double tolerance = 0;
    bool bytes = true;    // off: only metadata and structure are looked at, and nothing is found to be renamed
    bool digests = true;  // of tensors whose bytes differ
};

// The keys alone, in order; of the options those that are about keys count.
std::vector<KeyChange> compare_metadata(const ModelView& a, const ModelView& b, const DiffOptions& options = {});

// Errors: as from Model::data(); IO_CHANGED where a file changed meanwhile; CANCELLED.
Result<Diff> compare_models(const Model& a, const Model& b, const DiffOptions& options = {});

// ---------------------------------------------------------------- values

// Whether a tensor holds factors of another one: NAME.scale of NAME.weight, with one number, or one for each matrix.
// Comparisons multiply each matrix of NAME.weight by its factor and skip NAME.scale.
bool is_scale(const Model& model, const ModelTensor& tensor);

struct TensorPair {
    const ModelTensor* a;
    const ModelTensor* b;
    bool same = false;  // known to have equal values: only A is read
};

// Whether both are there, have one shape, and types that can be decoded.
bool has_values_to_compare(const TensorPair& pair);

// What a sample says of the whole: with 95 % confidence the number lies within.
struct Interval {
    double low;
    double high;
};

struct ValueDifference {
    ErrorSums sums;            // w of A, v of B, each with its factor
    bool sampled = false;      // the sums are of a part of the weights
    Interval relative_rmse{};  // where sampled
};

struct ValueOptions {
    Work work{};                       // progress in weights
    const Imatrix* imatrix = nullptr;  // weighs errors; found by the name in A, ignored where its size does not fit
    // 0: all values. Else so many runs of up to 2048 values of each tensor (at least 2), one out of each of so many equal
    // parts, at a place that only depends on the tensor's name. The interval takes them for a simple random sample
    // without replacement, and Σe²/Σw² for a ratio estimate of it: r ± 1.96·√((1 − n/N)·s²/n)/mean(w²), with s² the
    // variance of e² − r·w² between runs; then the root.
    std::uint64_t sample = 0;
};

// Of pairs that have values to compare, in their order. Memory: some 20 KiB a thread. Errors as compare_models() has them.
Result<std::vector<ValueDifference>> compare_values(const Model& a, const Model& b, std::span<const TensorPair> pairs,
                                                    const ValueOptions& options = {});

// Several pairs as one. max_at of its sums says nothing.
struct ValueTotal {
    std::string name;  // the part ("ffn_down"), or the number of the layer; empty for the whole
    std::uint64_t tensors = 0;
    ErrorSums sums{};
};

// `differences` belong to `pairs`, in the same order. Types are A's.
std::vector<ValueTotal> totals(std::span<const TensorPair> pairs, std::span<const ValueDifference> differences,
                               Grouping grouping);

// ---------------------------------------------------------------- two of one base

// How far two models are from the one they were made of.
struct Ranking {
    std::vector<TensorPair> pairs_a;  // tensors of the base and those of A, in the order of the base,
    std::vector<TensorPair> pairs_b;  // and of B: the same tensors
    std::vector<ValueDifference> a;   // of pairs_a
    std::vector<ValueDifference> b;
    std::vector<std::string> not_compared;  // those of the base that A or B lacks, or has in another shape
    std::vector<std::string> not_in_base;   // those that A or B has beyond the base, in order of name
    // Both leave out tensors of factors (see is_scale()).
};

Result<Ranking> rank_models(const Model& base, const Model& a, const Model& b, const ValueOptions& options = {});

// A key that A or B does not have as the base has it.
struct KeyOfThree {
    std::string key;
    std::optional<ValueView> base;  // absent: the model has no such key
    std::optional<ValueView> a;
    std::optional<ValueView> b;
    bool differs_in_a = false;  // from the base
    bool differs_in_b = false;
    bool alike = false;  // A and B have the same
};

// In order of key.
std::vector<KeyOfThree> compare_metadata(const ModelView& base, const ModelView& a, const ModelView& b,
                                         const DiffOptions& options = {});

// Whether a key says how the weights were quantized, so that every quantization of a model has another value: the file
// type, the importance matrix, who did it and with what.
bool is_about_quantization(std::string_view key);

}  // namespace ggufkit
