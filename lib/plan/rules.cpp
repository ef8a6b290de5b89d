#include "plan/rules.hpp"

#include <algorithm>
#include <array>
#include <string_view>

namespace ggufkit::plan {

namespace {

using T = TensorType;
using enum FileTypeId;
using enum Role;
using enum Condition;

constexpr FileTypes any{};
constexpr FileTypes two_bits_or_less{IQ2_XXS, IQ2_XS, IQ2_S, IQ2_M, IQ1_S, IQ1_M};
constexpr FileTypes roomy_two_bits{IQ2_S, IQ2_M};
constexpr FileTypes tight_two_bits{IQ2_XXS, IQ2_XS, IQ1_S, IQ1_M};

// In order of precedence: the first rule that matches decides.
constexpr std::array table{
    // The output, and the token embeddings where they are the output.
    Rule{{MXFP4_MOE, Q8_0}, {output}, {}, T::Q8_0},
    Rule{any, {output}, {falcon}, T::Q8_0},
    Rule{any, {output}, {ragged_row}, T::Q8_0},
    Rule{two_bits_or_less, {output}, {}, T::Q5_K},
    Rule{{IQ3_XXS}, {output}, {}, T::Q5_K},
    Rule{any, {output}, {}, T::Q6_K},

    // Experts are stacked in three dimensions.
    Rule{{MXFP4_MOE}, {}, {three_dimensional, not_bailingmoe3}, T::MXFP4},
    Rule{{MXFP4_MOE}, {ffn_up, ffn_gate, ffn_down}, {three_dimensional}, T::MXFP4},
    Rule{{MXFP4_MOE}, {}, {}, T::Q8_0},

    Rule{tight_two_bits, {token_embd}, {}, T::Q2_K},
    Rule{{IQ2_S, IQ2_M, IQ3_XXS}, {token_embd}, {}, T::IQ3_S},
    Rule{{TQ1_0, TQ2_0, Q2_0}, {token_embd}, {}, T::Q4_K},

    // Two bits or less: only what hurts most gets more.
    Rule{two_bits_or_less, {attn_v}, {four_heads_a_kv_head}, T::Q4_K},
    Rule{two_bits_or_less, {attn_v}, {four_experts}, T::Q4_K},
    Rule{roomy_two_bits, {attn_v}, {}, T::IQ3_S},
    Rule{tight_two_bits, {attn_v}, {}, T::Q2_K},
    Rule{two_bits_or_less, {attn_k}, {eight_experts}, T::Q4_K},
    Rule{roomy_two_bits, {ffn_down}, {first_eighth_in_order}, T::IQ3_S},
    Rule{tight_two_bits, {ffn_down}, {first_eighth_in_order}, T::Q2_K},
    Rule{two_bits_or_less, {attn_output}, {eight_experts}, T::Q5_K},
    Rule{{IQ1_S, IQ1_M}, {attn_output}, {}, T::IQ2_XXS},
    Rule{roomy_two_bits, {attn_output}, {}, T::IQ3_S},

    // Values: small where there are eight experts, or few key-value heads in a 70B model, so that bits cost little.
    Rule{any, {attn_v}, {eight_experts}, T::Q8_0},
    Rule{{Q2_K, Q3_K_S, Q3_K_M, IQ3_M, Q4_K_S}, {attn_v}, {large_70b}, T::Q5_K},
    Rule{{Q2_K_S, IQ3_XXS, IQ3_XS, IQ3_S}, {attn_v}, {large_70b, four_heads_a_kv_head}, T::Q5_K},
    Rule{{Q2_K, Q2_K_S, IQ3_XXS, IQ3_XS, IQ3_S}, {attn_v}, {four_heads_a_kv_head}, T::Q4_K},
    Rule{{IQ4_NL, IQ4_XS}, {attn_v}, {four_heads_a_kv_head}, T::Q5_K},
    Rule{{Q2_K}, {attn_v}, {}, T::Q3_K},
    Rule{{IQ3_XXS}, {attn_v}, {without_imatrix}, T::IQ3_S},
    Rule{{IQ3_M}, {attn_v}, {}, T::Q4_K},
    Rule{{Q3_K_M}, {attn_v}, {first_two_layers}, T::Q5_K},
    Rule{{Q3_K_M}, {attn_v}, {}, T::Q4_K},
    Rule{{Q3_K_L}, {attn_v}, {}, T::Q5_K},
    Rule{{Q4_K_S}, {attn_v}, {first_four_layers}, T::Q5_K},
    Rule{{Q4_K_M, Q5_K_M}, {attn_v}, {more_bits}, T::Q6_K},
    Rule{{Q4_K_M}, {attn_v}, {large_70b}, T::Q5_K},

    Rule{any, {attn_k}, {eight_experts}, T::Q8_0},
    Rule{{IQ3_XS}, {attn_k, attn_q}, {}, T::IQ3_XXS},
    Rule{{IQ3_XXS}, {attn_k, attn_q}, {}, T::IQ2_S},

    Rule{{Q2_K}, {ffn_down}, {}, T::Q3_K},
    Rule{{Q2_K_S}, {ffn_down}, {first_eighth}, T::Q4_K},
    Rule{{IQ3_XXS}, {ffn_down}, {without_imatrix, first_eighth}, T::Q4_K},
    Rule{{IQ3_XXS}, {ffn_down}, {without_imatrix}, T::Q3_K},
    Rule{{IQ3_M}, {ffn_down}, {first_eighth}, T::Q4_K},
    Rule{{IQ3_M}, {ffn_down}, {eight_experts, more_bits}, T::Q4_K},
    Rule{{Q3_K_M}, {ffn_down}, {first_sixteenth}, T::Q5_K},
    Rule{{Q3_K_M}, {ffn_down}, {not_falcon}, T::Q4_K},
    Rule{{Q3_K_M}, {ffn_down}, {more_bits}, T::Q4_K},
    Rule{{Q3_K_L}, {ffn_down}, {falcon}, T::Q4_K},
    Rule{{Q3_K_L}, {ffn_down}, {}, T::Q5_K},
    Rule{{IQ4_NL, IQ4_XS}, {ffn_down}, {without_imatrix, first_eighth}, T::Q5_K},
    Rule{{Q4_0}, {ffn_down}, {with_imatrix, first_eighth}, T::Q4_1},
    Rule{{Q5_0}, {ffn_down}, {with_imatrix, first_eighth}, T::Q5_1},
    Rule{{Q4_K_S}, {ffn_down}, {not_falcon, first_eighth}, T::Q5_K},
    Rule{{Q4_K_M}, {ffn_down}, {falcon, first_sixteenth}, T::Q6_K},
    Rule{{Q4_K_M}, {ffn_down}, {falcon, more_bits}, T::Q5_K},
    Rule{{Q4_K_M}, {ffn_down}, {not_falcon, more_bits}, T::Q6_K},
    Rule{{Q5_K_M}, {ffn_down}, {more_bits}, T::Q6_K},

    Rule{{Q3_K_L}, {attn_output}, {falcon}, T::Q4_K},
    Rule{{Q2_K, Q3_K_S, Q3_K_M, Q4_K_S, Q4_K_M, IQ3_XXS, IQ3_XS, IQ3_S, IQ3_M, IQ4_NL, IQ4_XS},
         {attn_output},
         {not_falcon, eight_experts},
         T::Q5_K},
    Rule{{Q3_K_L}, {attn_output}, {eight_experts}, T::Q3_K},
    Rule{{Q2_K}, {attn_output}, {not_falcon}, T::Q3_K},
    Rule{{IQ3_XXS}, {attn_output}, {not_falcon}, T::IQ3_S},
    Rule{{Q3_K_M, IQ3_M}, {attn_output}, {not_falcon}, T::Q4_K},
    Rule{{Q3_K_L}, {attn_output}, {not_falcon}, T::Q5_K},

    Rule{{IQ3_XS}, {ffn_up, ffn_gate}, {middle_layers}, T::IQ3_XXS},
};

struct Phrase {
    Condition condition;
    std::string_view words;
};

constexpr std::array phrases{
    Phrase{eight_experts, "8 experts"},
    Phrase{four_experts, "4 or more experts"},
    Phrase{four_heads_a_kv_head, "4 or more query heads a key-value head"},
    Phrase{large_70b, "70B"},
    Phrase{falcon, "falcon"},
    Phrase{not_falcon, ""},
    Phrase{not_bailingmoe3, ""},
    Phrase{with_imatrix, "with imatrix"},
    Phrase{without_imatrix, "without imatrix"},
    Phrase{three_dimensional, "3-dimensional"},
    Phrase{ragged_row, "row length does not suit the default type"},
    Phrase{first_two_layers, "one of the first 2 layers"},
    Phrase{first_four_layers, "one of the first 4 layers"},
    Phrase{first_sixteenth, "first sixteenth of the layers"},
    Phrase{first_eighth, "first eighth of the layers"},
    Phrase{first_eighth_in_order, "first eighth of the layers"},
    Phrase{middle_layers, "neither first nor last eighth of the layers"},
    Phrase{more_bits, "a layer with more bits"},
};
static_assert(phrases.size() == static_cast<std::size_t>(more_bits) + 1);

template <class Enum>
bool allows(EnumSet<Enum> wanted, Enum actual) {
    return wanted.empty() || wanted.contains(actual);
}

}  // namespace

const Rule* find_rule(FileTypeId file_type, Role role, Conditions truths) noexcept {
    const auto found = std::ranges::find_if(table, [&](const Rule& rule) {
        return allows(rule.file_types, file_type) && allows(rule.roles, role) && truths.contains(rule.conditions);
    });
    return found == table.end() ? nullptr : &*found;
}

std::string describe(Conditions conditions) {
    std::string text;
    for (const auto& [condition, words] : phrases) {
        if (words.empty() || !conditions.contains(condition)) continue;
        if (!text.empty()) text += ", ";
        text += words;
    }
    return text;
}

}  // namespace ggufkit::plan
