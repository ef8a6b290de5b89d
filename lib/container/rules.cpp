#include "container/rules.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

namespace ggufkit {
namespace container {
namespace {

struct Row {
    R which;
    Rule rule;
};

constexpr auto error = Severity::error;
constexpr auto warning = Severity::warning;
constexpr auto note = Severity::note;
constexpr auto unchecked = std::nullopt;

// clang-format off
constexpr std::array rows{
    Row{R::complete,       {"GGUF-R001", Errc::truncated, error, error, false, "Every field of the header lies inside the file."}},
    Row{R::magic,          {"GGUF-R002", Errc::bad_magic, error, error, false, "The first four bytes are 47 47 55 46, \"GGUF\"."}},
    Row{R::version,        {"GGUF-R003", Errc::bad_version, error, error, false, "The version is 1, 2 or 3."}},
    Row{R::byte_order,     {"GGUF-R004", Errc::wrong_endian, error, error, false, "Every number has the byte order in which the version makes sense."}},
    Row{R::tensor_count,   {"GGUF-R005", Errc::count_impossible, error, error, false, "The bytes after the counts can hold the announced number of tensor infos, and it is within the reader's limit, 1,000,000 unless it is told otherwise."}},
    Row{R::kv_count,       {"GGUF-R006", Errc::count_impossible, error, error, false, "The bytes after the counts can hold the announced number of key-value pairs, beside the tensor infos, and it is within the same limit."}},
    Row{R::string_length,  {"GGUF-R007", Errc::length_past_eof, error, error, false, "A string is no longer than the bytes that remain."}},
    Row{R::value_type,     {"GGUF-R008", Errc::bad_kv_type, error, error, false, "A value's type is one of the thirteen."}},
    Row{R::element_type,   {"GGUF-R009", Errc::bad_kv_type, error, error, false, "An array's element type is one of the thirteen."}},
    Row{R::array_length,   {"GGUF-R010", Errc::length_past_eof, error, error, false, "The bytes that remain can hold the announced number of array elements."}},
    Row{R::array_depth,    {"GGUF-R011", Errc::depth, error, error, false, "Arrays nest no deeper than the reader's limit, 64 unless it is told otherwise."}},
    Row{R::array_nested,   {"GGUF-R012", Errc::depth, unchecked, error, false, "Arrays hold no arrays."}},
    Row{R::key_empty,      {"GGUF-R013", Errc::bad_key, error, error, false, "A key is not empty."}},
    Row{R::key_ascii,      {"GGUF-R014", Errc::bad_key, error, error, false, "A key is ASCII without NUL."}},
    Row{R::key_length,     {"GGUF-R015", Errc::bad_key, error, error, false, "A key has at most 65,535 bytes."}},
    Row{R::key_unique,     {"GGUF-R016", Errc::dup_key, error, error, false, "No two keys of a file are equal."}},
    Row{R::bool_value,     {"GGUF-R017", Errc::bad_bool, error, error, false, "A bool is 0 or 1."}},
    Row{R::utf8,           {"GGUF-R018", Errc::bad_utf8, error, warning, false, "A string is well-formed UTF-8."}},
    Row{R::utf8_tokens,    {"GGUF-R019", Errc::bad_utf8, warning, warning, false, "A string in an array under tokenizer.* is well-formed UTF-8."}},
    Row{R::align_type,     {"GGUF-R020", Errc::bad_align_type, error, error, false, "general.alignment is a u32."}},
    Row{R::align_value,    {"GGUF-R021", Errc::bad_align, error, error, false, "general.alignment is a power of two, at most 2^30."}},
    Row{R::align_small,    {"GGUF-R022", Errc::bad_align, warning, warning, false, "general.alignment is a multiple of 8."}},
    Row{R::n_dims,         {"GGUF-R023", Errc::bad_ndims, error, error, false, "A tensor has at most 4 dimensions."}},
    Row{R::name_length,    {"GGUF-R024", Errc::name_too_long, error, error, false, "A tensor's name has at most 64 bytes."}},
    Row{R::name_length_llama, {"GGUF-R025", Errc::name_too_long, unchecked, error, false, "A tensor's name has at most 63 bytes."}},
    Row{R::name_text,      {"GGUF-R026", Errc::bad_name, error, error, false, "A tensor's name is well-formed UTF-8, not empty, without NUL."}},
    Row{R::name_unique,    {"GGUF-R027", Errc::dup_tensor, error, error, false, "No two tensors of a file have the same name."}},
    Row{R::dim_range,      {"GGUF-R028", Errc::bad_dim, error, error, false, "A dimension is below 2^63."}},
    Row{R::element_count,  {"GGUF-R029", Errc::size_overflow, error, error, false, "The product of a tensor's dimensions, multiplied in their order, stays below 2^63."}},
    Row{R::byte_count,     {"GGUF-R030", Errc::size_overflow, error, error, false, "A tensor's size in bytes, with the padding after it, is below 2^63."}},
    Row{R::type_known,     {"GGUF-R031", Errc::bad_tensor_type, error, error, false, "A tensor's type is one that has a layout in spec/quant-formats.md."}},
    Row{R::type_is_weight, {"GGUF-R032", Errc::bad_tensor_type, warning, warning, false, "A tensor's type is not one that exists for activations only."}},
    Row{R::whole_row,      {"GGUF-R033", Errc::bad_row, error, error, false, "A row, ne[0] elements, is a whole number of blocks."}},
    Row{R::aligned,        {"GGUF-R034", Errc::misaligned, error, error, false, "A tensor's offset is a multiple of the alignment."}},
    Row{R::offset_sum,     {"GGUF-R035", Errc::offset_overflow, error, error, false, "A tensor's position and end in the file are below 2^64."}},
    Row{R::disjoint,       {"GGUF-R036", Errc::overlap, error, error, false, "No two tensors share a byte."}},
    Row{R::contiguous,     {"GGUF-R037", Errc::not_contiguous, note, error, false, "Tensors follow one another in the order of their infos, with padding between them and nothing else."}},
    Row{R::inside_file,    {"GGUF-R038", Errc::data_past_eof, error, error, false, "A tensor ends inside the file."}},
    Row{R::nothing_after,  {"GGUF-R039", Errc::trailing_data, warning, warning, true, "Nothing follows the padding after the last tensor."}},
    Row{R::zero_padding,   {"GGUF-R040", Errc::bad_padding, warning, warning, true, "Padding is zero."}},
    Row{R::last_padding,   {"GGUF-R041", Errc::bad_padding, note, note, false, "The last tensor is padded to the alignment too."}},
    Row{R::split_keys,     {"GGUF-R042", Errc::bad_split, error, error, false, "split.no and split.count of a shard are integers, split.no less than split.count."}},
    Row{R::split_files,    {"GGUF-R043", Errc::bad_split, error, error, false, "Shard number i (from 0) of n is in a file NAME-j-of-n.gguf, j = i + 1, both with at least five digits, and every one is there."}},
    Row{R::split_agreement, {"GGUF-R044", Errc::bad_split, error, error, false, "All shards have the same split.count, and together as many tensors as split.tensors.count says."}},
    Row{R::split_unique,   {"GGUF-R045", Errc::dup_tensor, error, error, false, "No two tensors of a model have the same name, in whichever shards they are."}},
    Row{R::finite_scales,  {"GGUF-R046", Errc::bad_quant, error, error, false, "Scales of blocks and elements of float types are finite."}},
    Row{R::architecture,   {"GGUF-R047", Errc::bad_semantics, warning, warning, false, "general.architecture is a string, not empty; an importance matrix (general.type is imatrix) needs none."}},
    Row{R::token_id,       {"GGUF-R048", Errc::bad_semantics, warning, warning, false, "A tokenizer.ggml.*_token_id is less than the number of tokens."}},
    Row{R::token_arrays,   {"GGUF-R049", Errc::bad_semantics, error, error, false, "tokenizer.ggml.scores and tokenizer.ggml.token_type have as many elements as tokenizer.ggml.tokens."}},
    Row{R::vocabulary_rows, {"GGUF-R050", Errc::bad_semantics, error, error, false, "token_embd.weight has at least one row for every token."}},
    Row{R::head_count,     {"GGUF-R051", Errc::bad_semantics, error, error, false, "ARCH.attention.head_count is not 0."}},
    Row{R::head_groups,    {"GGUF-R052", Errc::bad_semantics, warning, warning, false, "ARCH.attention.head_count is a multiple of ARCH.attention.head_count_kv."}},
    Row{R::block_count,    {"GGUF-R053", Errc::bad_semantics, error, error, false, "Of tensors blk.N.*, there are some for every N less than ARCH.block_count, and none for others."}},
    Row{R::per_block_arrays, {"GGUF-R054", Errc::bad_semantics, error, error, false, "Arrays of head counts and feed-forward lengths have ARCH.block_count elements."}},
    Row{R::quantization_version, {"GGUF-R055", Errc::bad_semantics, warning, warning, false, "A file with quantized tensors has general.quantization_version, and it is 2."}},
    Row{R::known_keys,     {"GGUF-R056", Errc::bad_semantics, error, error, false, "Keys whose meaning is known have values of their kind: lengths and counts of the architecture integers that are not negative, or arrays of them, tokenizer.ggml.tokens and merges arrays of strings, and so on."}},
    Row{R::llama_types,    {"GGUF-R057", Errc::bad_semantics, unchecked, error, false, "A key that llama.cpp reads has the type that it reads: it converts none, and refuses a u64 where it wants a u32."}},
    Row{R::shards_apart,   {"GGUF-R058", Errc::bad_split, error, error, false, "A shard of a split model is a file of its own: no other GGUF header follows its data."}},
    Row{R::no_gaps,        {"GGUF-R059", Errc::truncated, warning, warning, true, "No run of zero bytes takes up several whole tensors, or begins or ends within a row: an unfinished download has such gaps."}},
};
// clang-format on

constexpr bool in_order() {
    for (std::size_t i = 0; i < rows.size(); ++i) {
        if (static_cast<std::size_t>(rows[i].which) != i) return false;
    }
    return rows.size() == static_cast<std::size_t>(R::count_);
}
static_assert(in_order(), "row i describes enumerator i");

constexpr auto table = [] {
    std::array<Rule, rows.size()> rules{};
    std::ranges::transform(rows, rules.begin(), &Row::rule);
    return rules;
}();

}  // namespace

const Rule& rule(R which) noexcept { return table[static_cast<std::size_t>(which)]; }

Error breach(R which, std::optional<std::uint64_t> offset, std::string subject, std::string detail) {
    const Rule& broken = rule(which);
    return {broken.code, broken.id, offset, std::move(subject), std::move(detail)};
}

std::string subject(std::string_view kind, std::string_view name) {
    constexpr std::size_t longest = 128;
    if (name.size() <= longest) return fmt::format("{} '{}'", kind, name);
    return fmt::format("{} '{}…' ({} bytes)", kind, name.substr(0, longest), name.size());
}

}  // namespace container

std::span<const Rule> rules() noexcept { return container::table; }

std::string_view name(Severity severity) noexcept {
    static constexpr std::array<std::string_view, 3> names{"note", "warning", "error"};
    return names[static_cast<std::size_t>(severity)];
}

}  // namespace ggufkit
