#include "plan/roles.hpp"

#include <array>
#include <charconv>
#include <span>

namespace ggufkit::plan {

namespace {

enum class Match : std::uint8_t { whole, part };

struct Pattern {
    Match match;
    std::string_view text;

    bool fits(std::string_view name) const {
        return match == Match::whole ? name == text : name.find(text) != std::string_view::npos;
    }
};

struct RoleRow {
    Pattern pattern;
    Role role;
    std::string_view label;
};

// First match wins.
constexpr std::array role_rows{
    RoleRow{{Match::whole, "output.weight"}, Role::output, "output"},
    RoleRow{{Match::whole, "token_embd.weight"}, Role::token_embd, "token_embd"},
    RoleRow{{Match::whole, "per_layer_token_embd.weight"}, Role::token_embd, "per_layer_token_embd"},
    RoleRow{{Match::part, "attn_qkv.weight"}, Role::attn_v, "attn_qkv"},
    RoleRow{{Match::part, "attn_kv_b.weight"}, Role::attn_v, "attn_kv_b"},
    RoleRow{{Match::part, "attn_v.weight"}, Role::attn_v, "attn_v"},
    RoleRow{{Match::part, "attn_k.weight"}, Role::attn_k, "attn_k"},
    RoleRow{{Match::part, "attn_q.weight"}, Role::attn_q, "attn_q"},
    RoleRow{{Match::part, "attn_output.weight"}, Role::attn_output, "attn_output"},
    RoleRow{{Match::part, "ffn_up"}, Role::ffn_up, "ffn_up"},
    RoleRow{{Match::part, "ffn_gate"}, Role::ffn_gate, "ffn_gate"},
    RoleRow{{Match::part, "ffn_down"}, Role::ffn_down, "ffn_down"},
};

struct KeptRow {
    Pattern pattern;
    std::string_view why;
};

constexpr KeptRow kept(std::string_view part, std::string_view why) { return {{Match::part, part}, why}; }

constexpr std::array kept_rows{
    kept("_norm.weight", "norm"),
    kept("ffn_gate_inp.weight", "expert router"),
    kept("ffn_gate_tid2eid.weight", "expert router"),
    kept("altup", "small and sensitive"),
    kept("laurel", "small and sensitive"),
    kept("per_layer_model_proj", "small and sensitive"),
    KeptRow{{Match::whole, "position_embd.weight"}, "position embeddings"},
    KeptRow{{Match::whole, "token_types.weight"}, "token type embeddings"},
    kept("ssm_conv1d", "short convolution"),
    kept("shortconv.conv.weight", "short convolution"),
    kept("indexer.k_proj.weight", "attention indexer"),
    kept("indexer.q_proj.weight", "attention indexer"),
    kept("time_mix_first.weight", "RWKV mixing"),
    kept("time_mix_w0.weight", "RWKV mixing"),
    kept("time_mix_w1.weight", "RWKV mixing"),
    kept("time_mix_w2.weight", "RWKV mixing"),
    kept("time_mix_v0.weight", "RWKV mixing"),
    kept("time_mix_v1.weight", "RWKV mixing"),
    kept("time_mix_v2.weight", "RWKV mixing"),
    kept("time_mix_a0.weight", "RWKV mixing"),
    kept("time_mix_a1.weight", "RWKV mixing"),
    kept("time_mix_a2.weight", "RWKV mixing"),
    kept("time_mix_g1.weight", "RWKV mixing"),
    kept("time_mix_g2.weight", "RWKV mixing"),
    kept("time_mix_decay_w1.weight", "RWKV mixing"),
    kept("time_mix_decay_w2.weight", "RWKV mixing"),
    kept("time_mix_lerp_fused.weight", "RWKV mixing"),
    kept("attn_rel_b.weight", "relative position bias"),
    kept(".position_embd", "position embeddings"),
    kept("sam.pos_embd", "position embeddings"),
    kept("sam.neck.", "image encoder"),
    kept("sam.net_", "image encoder"),
    kept(".rel_pos", "position embeddings"),
    kept(".patch_embd", "image encoder"),
    kept(".patch_merger", "image encoder"),
    kept("a.rvq.codebook", "audio codebook"),
    kept("mm.a.code_embd", "audio codebook"),
};

}  // namespace

RoleName role_of(std::string_view name, bool tied) noexcept {
    for (const RoleRow& row : role_rows) {
        if (!row.pattern.fits(name)) continue;
        const bool serves_as_output = tied && row.role == Role::token_embd;
        return {serves_as_output ? Role::output : row.role, row.label};
    }
    return {Role::other, ""};
}

std::optional<std::uint64_t> block_of(std::string_view name) noexcept {
    constexpr std::string_view prefix = "blk.";
    if (!name.starts_with(prefix)) return std::nullopt;
    std::uint64_t block = 0;
    const auto [end, error] = std::from_chars(name.data() + prefix.size(), name.data() + name.size(), block);
    if (error != std::errc{}) return std::nullopt;
    return block;
}

std::optional<std::string_view> kept_as_it_is(std::string_view name) noexcept {
    for (const KeptRow& row : kept_rows)
        if (row.pattern.fits(name)) return row.why;
    return std::nullopt;
}

}  // namespace ggufkit::plan
