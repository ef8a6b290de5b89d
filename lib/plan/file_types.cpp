#include "plan/file_types.hpp"

#include <algorithm>
#include <array>

namespace ggufkit {

namespace {

using plan::FileTypeId;
using T = TensorType;

constexpr FileType row(FileTypeId id, std::string_view name, TensorType default_type, std::string_view summary) {
    return {static_cast<std::uint32_t>(id), name, default_type, summary};
}

// In order of id. The summaries say what the rules of rules.cpp come to in a plain dense model.
constexpr std::array table{
    row(FileTypeId::F32, "F32", T::F32, "32-bit floats"),
    row(FileTypeId::F16, "F16", T::F16, "16-bit floats"),
    row(FileTypeId::Q4_0, "Q4_0", T::Q4_0, "Q4_0, output Q6_K"),
    row(FileTypeId::Q4_1, "Q4_1", T::Q4_1, "Q4_1, output Q6_K"),
    row(FileTypeId::Q8_0, "Q8_0", T::Q8_0, "Q8_0: nearly the source, the usual start for other mixes"),
    row(FileTypeId::Q5_0, "Q5_0", T::Q5_0, "Q5_0, output Q6_K"),
    row(FileTypeId::Q5_1, "Q5_1", T::Q5_1, "Q5_1, output Q6_K"),
    row(FileTypeId::Q2_K, "Q2_K", T::Q2_K, "Q2_K; Q3_K and Q4_K where it hurts most"),
    row(FileTypeId::Q3_K_S, "Q3_K_S", T::Q3_K, "Q3_K, output Q6_K"),
    row(FileTypeId::Q3_K_M, "Q3_K_M", T::Q3_K, "Q3_K; Q4_K and Q5_K for attn_v, attn_output, ffn_down"),
    row(FileTypeId::Q3_K_L, "Q3_K_L", T::Q3_K, "Q3_K; Q5_K for attn_v, attn_output, ffn_down"),
    row(FileTypeId::Q4_K_S, "Q4_K_S", T::Q4_K, "Q4_K; Q5_K for attn_v and ffn_down of the first layers"),
    row(FileTypeId::Q4_K_M, "Q4_K_M", T::Q4_K, "Q4_K; Q6_K for half of attn_v and ffn_down: a good default"),
    row(FileTypeId::Q5_K_S, "Q5_K_S", T::Q5_K, "Q5_K, output Q6_K"),
    row(FileTypeId::Q5_K_M, "Q5_K_M", T::Q5_K, "Q5_K; Q6_K for half of attn_v and ffn_down"),
    row(FileTypeId::Q6_K, "Q6_K", T::Q6_K, "Q6_K"),
    row(FileTypeId::IQ2_XXS, "IQ2_XXS", T::IQ2_XXS, "IQ2_XXS; needs an imatrix"),
    row(FileTypeId::IQ2_XS, "IQ2_XS", T::IQ2_XS, "IQ2_XS; needs an imatrix"),
    row(FileTypeId::Q2_K_S, "Q2_K_S", T::Q2_K, "Q2_K nearly everywhere; needs an imatrix"),
    row(FileTypeId::IQ3_XS, "IQ3_XS", T::IQ3_S,
        "IQ3_S; IQ3_XXS for attn_k, attn_q and the middle ffn layers; needs an imatrix"),
    row(FileTypeId::IQ3_XXS, "IQ3_XXS", T::IQ3_XXS, "IQ3_XXS, IQ2_S for attn_k and attn_q; needs an imatrix"),
    row(FileTypeId::IQ1_S, "IQ1_S", T::IQ1_S, "IQ1_S; needs an imatrix"),
    row(FileTypeId::IQ4_NL, "IQ4_NL", T::IQ4_NL, "IQ4_NL, output Q6_K"),
    row(FileTypeId::IQ3_S, "IQ3_S", T::IQ3_S, "IQ3_S, output Q6_K"),
    row(FileTypeId::IQ3_M, "IQ3_M", T::IQ3_S, "IQ3_S; Q4_K for attn_v, attn_output and the first ffn_down"),
    row(FileTypeId::IQ2_S, "IQ2_S", T::IQ2_XS, "IQ2_XS; IQ3_S where it hurts most; needs an imatrix"),
    row(FileTypeId::IQ2_M, "IQ2_M", T::IQ2_S, "IQ2_S; IQ3_S where it hurts most; needs an imatrix"),
    row(FileTypeId::IQ4_XS, "IQ4_XS", T::IQ4_XS, "IQ4_XS, output Q6_K"),
    row(FileTypeId::IQ1_M, "IQ1_M", T::IQ1_M, "IQ1_M; needs an imatrix"),
    row(FileTypeId::BF16, "BF16", T::BF16, "bfloat16"),
    row(FileTypeId::TQ1_0, "TQ1_0", T::TQ1_0, "ternary, five digits a byte"),
    row(FileTypeId::TQ2_0, "TQ2_0", T::TQ2_0, "ternary, two bits a digit"),
    row(FileTypeId::MXFP4_MOE, "MXFP4_MOE", T::MXFP4, "MXFP4 for experts, Q8_0 for the rest"),
    row(FileTypeId::NVFP4, "NVFP4", T::NVFP4, "NVFP4, output Q6_K"),
    row(FileTypeId::Q1_0, "Q1_0", T::Q1_0, "signs only, output Q6_K"),
    row(FileTypeId::Q2_0, "Q2_0", T::Q2_0, "four levels, output Q6_K"),
};
static_assert(std::ranges::is_sorted(table, {}, &FileType::id));

struct Alias {
    std::string_view alias;
    std::string_view name;
};
constexpr std::array aliases{
    Alias{"ALL_F32", "F32"},
    Alias{"Q3_K", "Q3_K_M"},
    Alias{"Q4_K", "Q4_K_M"},
    Alias{"Q5_K", "Q5_K_M"},
};

constexpr char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }
bool same_name(std::string_view a, std::string_view b) { return std::ranges::equal(a, b, {}, upper, upper); }

}  // namespace

std::span<const FileType> file_types() noexcept { return table; }

const FileType* find_file_type(std::string_view name) noexcept {
    for (const auto& alias : aliases)
        if (same_name(alias.alias, name)) name = alias.name;
    const auto found = std::ranges::find_if(table, [&](const FileType& row) { return same_name(row.name, name); });
    return found == table.end() ? nullptr : &*found;
}

const FileType* find_file_type(std::uint32_t id) noexcept {
    const auto found = std::ranges::lower_bound(table, id, {}, &FileType::id);
    return found == table.end() || found->id != id ? nullptr : &*found;
}

}  // namespace ggufkit
