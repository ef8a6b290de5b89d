// The rules of spec/gguf.md by name, and errors that cite them.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <ggufkit/error.hpp>
#include <ggufkit/validate.hpp>

namespace ggufkit::container {

// In the order of their ids.
enum class R : std::uint8_t {
    complete,
    magic,
    version,
    byte_order,
    tensor_count,
    kv_count,
    string_length,
    value_type,
    element_type,
    array_length,
    array_depth,
    array_nested,
    key_empty,
    key_ascii,
    key_length,
    key_unique,
    bool_value,
    utf8,
    utf8_tokens,
    align_type,
    align_value,
    align_small,
    n_dims,
    name_length,
    name_length_llama,
    name_text,
    name_unique,
    dim_range,
    element_count,
    byte_count,
    type_known,
    type_is_weight,
    whole_row,
    aligned,
    offset_sum,
    disjoint,
    contiguous,
    inside_file,
    nothing_after,
    zero_padding,
    last_padding,
    split_keys,
    split_files,
    split_agreement,
    split_unique,
    finite_scales,
    architecture,
    token_id,
    token_arrays,
    vocabulary_rows,
    head_count,
    head_groups,
    block_count,
    per_block_arrays,
    quantization_version,
    known_keys,
    llama_types,
    shards_apart,
    no_gaps,
    count_
};

const Rule& rule(R which) noexcept;

// An error of this rule's code that cites its id.
Error breach(R which, std::optional<std::uint64_t> offset, std::string subject, std::string detail);

// "key 'general.name'", "tensor 'blk.0.attn_k.weight'"; a name too long to be one is cut.
std::string subject(std::string_view kind, std::string_view name);

}  // namespace ggufkit::container
