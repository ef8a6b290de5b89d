// The mixes of the file types as a table: which tensors get more (or fewer) bits than the default.
#pragma once

#include <cstdint>
#include <string>

#include <ggufkit/format.hpp>

#include "plan/enum_set.hpp"
#include "plan/file_types.hpp"
#include "plan/roles.hpp"

namespace ggufkit::plan {

// What can be true of a tensor in its model. "Layers" are counted as spec/recipes.md says.
enum class Condition : std::uint8_t {
    eight_experts,
    four_experts,          // or more
    four_heads_a_kv_head,  // or more query heads for each key-value head
    large_70b,
    falcon,
    not_falcon,
    not_bailingmoe3,
    with_imatrix,
    without_imatrix,
    three_dimensional,
    ragged_row,  // ne[0] is not a whole number of blocks of the file type's default
    first_two_layers,
    first_four_layers,
    first_sixteenth,
    first_eighth,
    first_eighth_in_order,  // of the tensors of this role in the order they are written, experts or not
    middle_layers,          // neither the first nor the last eighth
    more_bits,              // the first eighth, the last eighth, and every third layer between
};

using Conditions = EnumSet<Condition>;
using Roles = EnumSet<Role>;

// An empty set of file types or roles means any of them; every condition must hold.
struct Rule {
    FileTypes file_types;
    Roles roles;
    Conditions conditions;
    TensorType type;
};

// The first rule that matches, or null: the tensor gets the default type.
const Rule* find_rule(FileTypeId file_type, Role role, Conditions truths) noexcept;

// The conditions of a rule in words: "8 experts, a layer with more bits".
std::string describe(Conditions conditions);

}  // namespace ggufkit::plan
