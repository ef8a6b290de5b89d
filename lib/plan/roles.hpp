// What a tensor is for, read off its name.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "plan/enum_set.hpp"

namespace ggufkit::plan {

enum class Role : std::uint8_t {
    output,      // output.weight; the token embeddings too where they serve as the output
    token_embd,  // token embeddings that do not
    attn_v,      // values, alone or fused with others (attn_qkv, attn_kv_b)
    attn_k,
    attn_q,
    attn_output,
    ffn_up,
    ffn_gate,
    ffn_down,
    other,
};

struct RoleName {
    Role role;
    std::string_view label;  // the part of the name that decided: "attn_qkv"
};

// `tied`: the model has no output.weight.
RoleName role_of(std::string_view name, bool tied) noexcept;

// The block number of "blk.12.…", or nothing.
std::optional<std::uint64_t> block_of(std::string_view name) noexcept;

// Why a matrix of this name is never quantized ("norm", "expert router"), or nothing where it may be.
std::optional<std::string_view> kept_as_it_is(std::string_view name) noexcept;

}  // namespace ggufkit::plan
