#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <functional>
#include <ggufkit/format.hpp>
#include <optional>
#include <string>
#include <type_traits>

#include "core/checked.hpp"
#include "format/blocks/fp4.hpp"
#include "format/blocks/iq.hpp"
#include "format/blocks/k.hpp"
#include "format/blocks/legacy.hpp"
#include "format/blocks/plain.hpp"
#include "format/blocks/ternary.hpp"
#include "format/other_meaning.hpp"

namespace ggufkit {
namespace {

using namespace format;

// How the type of a block's member appears as a field.
template <class T>
struct MemberTraits {
    static_assert(std::is_integral_v<T> && sizeof(T) == 1);
    static constexpr Number number = std::is_signed_v<T> ? Number::integer : Number::bits;
    static constexpr std::size_t width = 1;
};
template <class T>
struct MemberTraits<Little<T>> {
    static constexpr Number number = std::is_signed_v<T> ? Number::integer : Number::bits;
    static constexpr std::size_t width = sizeof(T);
};
template <Number kind, std::size_t bytes>
struct NumberTraits {
    static constexpr Number number = kind;
    static constexpr std::size_t width = bytes;
};
template <>
struct MemberTraits<Half> : NumberTraits<Number::f16, 2> {};
template <>
struct MemberTraits<Bfloat> : NumberTraits<Number::bf16, 2> {};
template <>
struct MemberTraits<Single> : NumberTraits<Number::f32, 4> {};
template <>
struct MemberTraits<Double> : NumberTraits<Number::f64, 8> {};
template <>
struct MemberTraits<E8M0> : NumberTraits<Number::e8m0, 1> {};
template <>
struct MemberTraits<UE4M3> : NumberTraits<Number::ue4m3, 1> {};
template <>
struct MemberTraits<ScalesAndMins> : NumberTraits<Number::bits, 1> {};
template <>
struct MemberTraits<SignedScales> : NumberTraits<Number::bits, 1> {};
template <>
struct MemberTraits<ScalesAroundHalf> : NumberTraits<Number::f16_in_top_nibbles, 2> {};

// `repeats` members, `stride` bytes apart; a member that is an array or a packed group counts as its numbers.
template <class Member>
constexpr Field field(std::string_view name, std::size_t offset, std::size_t repeats = 1, std::size_t stride = 0) {
    using Traits = MemberTraits<std::remove_extent_t<Member>>;
    const std::size_t numbers = sizeof(Member) / Traits::width;
    return {name,
            static_cast<std::uint16_t>(offset),
            static_cast<std::uint8_t>(Traits::width),
            static_cast<std::uint16_t>(numbers * repeats),
            static_cast<std::uint16_t>(stride != 0 ? stride : Traits::width),
            Traits::number};
}

#define FIELD(block, member) field<decltype(block::member)>(#member, offsetof(block, member))

template <class Block>
constexpr std::array value_field{FIELD(Block, value)};

constexpr std::array q4_0{FIELD(BlockQ4_0, d), FIELD(BlockQ4_0, qs)};
constexpr std::array q4_1{FIELD(BlockQ4_1, d), FIELD(BlockQ4_1, m), FIELD(BlockQ4_1, qs)};
constexpr std::array q5_0{FIELD(BlockQ5_0, d), FIELD(BlockQ5_0, qh), FIELD(BlockQ5_0, qs)};
constexpr std::array q5_1{FIELD(BlockQ5_1, d), FIELD(BlockQ5_1, m), FIELD(BlockQ5_1, qh), FIELD(BlockQ5_1, qs)};
constexpr std::array q8_0{FIELD(BlockQ8_0, d), FIELD(BlockQ8_0, qs)};
constexpr std::array q8_1{FIELD(BlockQ8_1, d), FIELD(BlockQ8_1, s), FIELD(BlockQ8_1, qs)};

constexpr std::array q2_k{FIELD(BlockQ2_K, scales), FIELD(BlockQ2_K, qs), FIELD(BlockQ2_K, d), FIELD(BlockQ2_K, dmin)};
constexpr std::array q3_k{FIELD(BlockQ3_K, hmask), FIELD(BlockQ3_K, qs), FIELD(BlockQ3_K, scales), FIELD(BlockQ3_K, d)};
constexpr std::array q4_k{FIELD(BlockQ4_K, d), FIELD(BlockQ4_K, dmin), FIELD(BlockQ4_K, scales), FIELD(BlockQ4_K, qs)};
constexpr std::array q5_k{FIELD(BlockQ5_K, d), FIELD(BlockQ5_K, dmin), FIELD(BlockQ5_K, scales), FIELD(BlockQ5_K, qh),
                          FIELD(BlockQ5_K, qs)};
constexpr std::array q6_k{FIELD(BlockQ6_K, ql), FIELD(BlockQ6_K, qh), FIELD(BlockQ6_K, scales), FIELD(BlockQ6_K, d)};
constexpr std::array q8_k{FIELD(BlockQ8_K, d), FIELD(BlockQ8_K, qs), FIELD(BlockQ8_K, bsums)};

// The members of the groups of IQ2_XXS: one run a byte of index, since only the word behind them has a byte order.
constexpr std::size_t group_at = offsetof(BlockIQ2_XXS, groups);
constexpr std::size_t group_bytes = sizeof(BlockIQ2_XXS::Group);
constexpr std::size_t group_count = sizeof(BlockIQ2_XXS::groups) / group_bytes;
constexpr std::size_t group_word = offsetof(BlockIQ2_XXS::Group, signs_and_scale);
constexpr std::array iq2_xxs{
    FIELD(BlockIQ2_XXS, d),
    field<std::uint8_t>("index[0]", group_at, group_count, group_bytes),
    field<std::uint8_t>("index[1]", group_at + 1, group_count, group_bytes),
    field<std::uint8_t>("index[2]", group_at + 2, group_count, group_bytes),
    field<std::uint8_t>("index[3]", group_at + 3, group_count, group_bytes),
    field<Little<std::uint32_t>>("signs_and_scale", group_at + group_word, group_count, group_bytes),
};
constexpr std::array iq2_xs{FIELD(BlockIQ2_XS, d), FIELD(BlockIQ2_XS, qs), FIELD(BlockIQ2_XS, scales)};
constexpr std::array iq2_s{FIELD(BlockIQ2_S, d), FIELD(BlockIQ2_S, qs), FIELD(BlockIQ2_S, signs), FIELD(BlockIQ2_S, qh),
                           FIELD(BlockIQ2_S, scales)};
constexpr std::array iq3_xxs{FIELD(BlockIQ3_XXS, d), FIELD(BlockIQ3_XXS, qs), FIELD(BlockIQ3_XXS, signs_and_scale)};
constexpr std::array iq3_s{FIELD(BlockIQ3_S, d), FIELD(BlockIQ3_S, qs), FIELD(BlockIQ3_S, qh), FIELD(BlockIQ3_S, signs),
                           FIELD(BlockIQ3_S, scales)};
constexpr std::array iq1_s{FIELD(BlockIQ1_S, d), FIELD(BlockIQ1_S, qs), FIELD(BlockIQ1_S, qh)};
constexpr std::array iq1_m{FIELD(BlockIQ1_M, qs), FIELD(BlockIQ1_M, qh), FIELD(BlockIQ1_M, scales)};
constexpr std::array iq4_nl{FIELD(BlockIQ4_NL, d), FIELD(BlockIQ4_NL, qs)};
constexpr std::array iq4_xs{FIELD(BlockIQ4_XS, d), FIELD(BlockIQ4_XS, scales_h), FIELD(BlockIQ4_XS, scales_l),
                            FIELD(BlockIQ4_XS, qs)};

constexpr std::array tq1_0{FIELD(BlockTQ1_0, qs), FIELD(BlockTQ1_0, qh), FIELD(BlockTQ1_0, d)};
constexpr std::array tq2_0{FIELD(BlockTQ2_0, qs), FIELD(BlockTQ2_0, d)};
constexpr std::array q1_0{FIELD(BlockQ1_0, d), FIELD(BlockQ1_0, qs)};
constexpr std::array q2_0{FIELD(BlockQ2_0, d), FIELD(BlockQ2_0, qs)};
constexpr std::array mxfp4{FIELD(BlockMXFP4, e), FIELD(BlockMXFP4, qs)};
constexpr std::array nvfp4{FIELD(BlockNVFP4, d), FIELD(BlockNVFP4, qs)};

#undef FIELD

struct Options {
    ImatrixNeed imatrix = ImatrixNeed::none;
    std::optional<TensorType> fallback{};
    Standing standing = Standing::active;
};

template <class Block>
constexpr FormatInfo row(std::string_view name, Family family, std::span<const Field> fields, Options options = {}) {
    return {static_cast<std::uint32_t>(Block::type),
            name,
            family,
            options.standing,
            Block::elements,
            sizeof(Block),
            fields,
            options.imatrix,
            static_cast<std::uint32_t>(options.fallback.value_or(Block::type))};
}

template <class Block>
constexpr FormatInfo plain(std::string_view name) {
    return row<Block>(name, Family::plain, value_field<Block>);
}

constexpr FormatInfo removed(std::uint32_t id, std::string_view name) {
    return {id, name, Family::none, Standing::removed, 0, 0, {}, ImatrixNeed::none, id};
}

constexpr FormatInfo foreign(std::uint32_t id, std::string_view name) {
    return {id, name, Family::none, Standing::foreign, 0, 0, {}, ImatrixNeed::none, id};
}

using enum TensorType;
constexpr Options activation{.standing = Standing::activation_only};
constexpr auto always = ImatrixNeed::always;
constexpr auto by_file_type = ImatrixNeed::file_type_rule;

constexpr std::array table{
    plain<BlockF32>("F32"),
    plain<BlockF16>("F16"),
    row<BlockQ4_0>("Q4_0", Family::legacy, q4_0),
    row<BlockQ4_1>("Q4_1", Family::legacy, q4_1),
    removed(4, "Q4_2"),
    removed(5, "Q4_3"),
    row<BlockQ5_0>("Q5_0", Family::legacy, q5_0),
    row<BlockQ5_1>("Q5_1", Family::legacy, q5_1),
    row<BlockQ8_0>("Q8_0", Family::legacy, q8_0),
    row<BlockQ8_1>("Q8_1", Family::legacy, q8_1, activation),
    row<BlockQ2_K>("Q2_K", Family::k, q2_k, {.imatrix = by_file_type, .fallback = Q4_0}),
    row<BlockQ3_K>("Q3_K", Family::k, q3_k, {.fallback = Q4_0}),
    row<BlockQ4_K>("Q4_K", Family::k, q4_k, {.fallback = Q5_0}),
    row<BlockQ5_K>("Q5_K", Family::k, q5_k, {.fallback = Q5_1}),
    row<BlockQ6_K>("Q6_K", Family::k, q6_k, {.fallback = Q8_0}),
    row<BlockQ8_K>("Q8_K", Family::k, q8_k, activation),
    row<BlockIQ2_XXS>("IQ2_XXS", Family::iq, iq2_xxs, {.imatrix = always, .fallback = IQ4_NL}),
    row<BlockIQ2_XS>("IQ2_XS", Family::iq, iq2_xs, {.imatrix = always, .fallback = IQ4_NL}),
    row<BlockIQ3_XXS>("IQ3_XXS", Family::iq, iq3_xxs, {.imatrix = by_file_type, .fallback = IQ4_NL}),
    row<BlockIQ1_S>("IQ1_S", Family::iq, iq1_s, {.imatrix = always, .fallback = IQ4_NL}),
    row<BlockIQ4_NL>("IQ4_NL", Family::iq, iq4_nl),
    row<BlockIQ3_S>("IQ3_S", Family::iq, iq3_s, {.fallback = IQ4_NL}),
    row<BlockIQ2_S>("IQ2_S", Family::iq, iq2_s, {.imatrix = by_file_type, .fallback = IQ4_NL}),
    row<BlockIQ4_XS>("IQ4_XS", Family::iq, iq4_xs, {.fallback = IQ4_NL}),
    plain<BlockI8>("I8"),
    plain<BlockI16>("I16"),
    plain<BlockI32>("I32"),
    plain<BlockI64>("I64"),
    plain<BlockF64>("F64"),
    row<BlockIQ1_M>("IQ1_M", Family::iq, iq1_m, {.imatrix = by_file_type, .fallback = IQ4_NL}),
    plain<BlockBF16>("BF16"),
    removed(31, "Q4_0_4_4"),
    removed(32, "Q4_0_4_8"),
    removed(33, "Q4_0_8_8"),
    row<BlockTQ1_0>("TQ1_0", Family::ternary, tq1_0, {.fallback = Q4_0}),
    row<BlockTQ2_0>("TQ2_0", Family::ternary, tq2_0, {.fallback = Q4_0}),
    removed(36, "IQ4_NL_4_4"),
    removed(37, "IQ4_NL_4_8"),
    removed(38, "IQ4_NL_8_8"),
    row<BlockMXFP4>("MXFP4", Family::fp4, mxfp4),
    row<BlockNVFP4>("NVFP4", Family::fp4, nvfp4, {.fallback = MXFP4}),
    row<BlockQ1_0>("Q1_0", Family::ternary, q1_0, {.fallback = Q4_0}),
    row<BlockQ2_0>("Q2_0", Family::ternary, q2_0, {.fallback = Q4_0}),

    foreign(43, "FORK_43"),
    foreign(44, "FORK_44"),
    foreign(45, "FORK_45"),
    foreign(46, "FORK_46"),
    foreign(47, "FORK_47"),
    foreign(48, "FORK_48"),

    foreign(97, "Q8_0_X4"),
    foreign(98, "Q8_1_X4"),
    foreign(99, "Q8_2_X4"),
    foreign(133, "Q6_0"),
    foreign(134, "IQ1_BN"),
    foreign(135, "IQ2_BN"),
    foreign(136, "Q8_K64"),
    foreign(137, "IQ2_K"),
    foreign(138, "IQ3_K"),
    foreign(139, "IQ4_K"),
    foreign(140, "IQ5_K"),
    foreign(141, "IQ6_K"),
    foreign(142, "PQ2_0"),
    foreign(143, "PTQ1_0"),
    foreign(144, "IQ4_KS"),
    foreign(145, "IQ2_KS"),
    foreign(146, "IQ4_KSS"),
    foreign(147, "Q8_K16"),
    foreign(148, "Q8_K32"),
    foreign(149, "Q8_KR8"),
    foreign(150, "Q8_K128"),
    foreign(151, "Q8_KV"),
    foreign(152, "IQ5_KS"),
    foreign(153, "IQ2_KT"),
    foreign(154, "IQ3_KT"),
    foreign(155, "IQ4_KT"),
    foreign(156, "IQ3_KS"),
    foreign(157, "IQ2_KL"),
    foreign(158, "IQ1_KT"),
    foreign(159, "Q1_0_G128_R8"),
    foreign(160, "PQ2_0_R8"),
    foreign(161, "PTQ1_0_R8"),
    foreign(202, "Q4_0_R8"),
    foreign(206, "Q5_0_R4"),
    foreign(208, "Q8_0_R8"),
    foreign(210, "Q2_K_R4"),
    foreign(211, "Q3_K_R4"),
    foreign(212, "Q4_K_R4"),
    foreign(213, "Q5_K_R4"),
    foreign(214, "Q6_K_R4"),
    foreign(216, "IQ2_XXS_R4"),
    foreign(217, "IQ2_XS_R4"),
    foreign(218, "IQ3_XXS_R4"),
    foreign(219, "IQ1_S_R4"),
    foreign(220, "IQ4_NL_R4"),
    foreign(221, "IQ3_S_R4"),
    foreign(222, "IQ2_S_R4"),
    foreign(223, "IQ4_XS_R8"),
    foreign(229, "IQ1_M_R4"),
    foreign(230, "BF16_R16"),
    foreign(233, "Q6_0_R4"),
    foreign(335, "IQ2_BN_R4"),
    foreign(337, "IQ2_K_R4"),
    foreign(338, "IQ3_K_R4"),
    foreign(339, "IQ4_K_R4"),
    foreign(340, "IQ5_K_R4"),
    foreign(344, "IQ4_KS_R4"),
    foreign(345, "IQ4_KS_R16"),
    foreign(352, "IQ5_KS_R4"),
    foreign(353, "MXFP4_R8"),
    foreign(397, "Q8_K_R16"),
    foreign(398, "Q8_KV_R8"),
    foreign(399, "Q8_K_R8"),
};

static_assert(std::ranges::adjacent_find(table, std::ranges::greater_equal{}, &FormatInfo::id) == table.end());

// Ids that mean something else in some fork of llama.cpp, as its headers had it in 2026.
struct Meaning {
    std::uint32_t id;
    std::string_view text;
    bool ambiguous = false;  // llama.cpp has no type of this id, and its forks have several
};
constexpr std::array meanings{
    Meaning{36, "I2_S in ik_llama.cpp and BitNet"},
    Meaning{41, "Q1_0_G128 in ik_llama.cpp; TURBO3_0, TURBO4_0 or TQ3_0 in forks with TurboQuant"},
    Meaning{42, "TURBO2_0, TURBO3_0, TURBO4_0 or TQ4_0 in forks with TurboQuant"},
    Meaning{43, "TURBO2_0, TURBO3_0 or another, as the fork has it", true},
    Meaning{44, "TURBO3_0, TURBO4_0 or another, as the fork has it", true},
    Meaning{45, "TURBO2_0, TURBO4_0, TQ3_1S or another, as the fork has it", true},
    Meaning{46, "TQ3_1S, TQ4_1S, TQ3_4S or another, as the fork has it", true},
    Meaning{47, "TQ4_1S, TQ4P_D128, RQ3_0 or another, as the fork has it", true},
    Meaning{48, "TQ4P_D256, RQ4_0 or another, as the fork has it", true},
    Meaning{142, "IQ2_TN in ik_llama.cpp before 2026"},
    Meaning{143, "IQ1_TN in ik_llama.cpp before 2026"},
};

Meaning meaning_of(const FormatInfo& format) {
    const auto found = std::ranges::find(meanings, format.id, &Meaning::id);
    return found == meanings.end() ? Meaning{format.id, {}} : *found;
}

std::string why_unusable(const FormatInfo& format) {
    const std::string_view other = other_meaning(format);
    if (is_ambiguous(format)) return fmt::format("type id {} is of a fork of llama.cpp: {}", format.id, other);
    if (format.standing == Standing::foreign)
        return fmt::format("type id {} is one of ik_llama.cpp, not of llama.cpp", format.id);
    return fmt::format("type id {} was removed from the format{}{}", format.id, other.empty() ? "" : "; it is ", other);
}

// Row of an id, or `no_row`.
constexpr std::uint8_t no_row = 255;
static_assert(table.size() < no_row);
constexpr auto row_of_id = [] {
    std::array<std::uint8_t, table.back().id + 1> rows{};
    rows.fill(no_row);
    for (std::size_t i = 0; i < table.size(); ++i) rows[table[i].id] = static_cast<std::uint8_t>(i);
    return rows;
}();

constexpr char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

tl::unexpected<Error> size_error(const FormatInfo& format, Errc code, std::string detail) {
    return fail({.code = code, .subject = fmt::format("type {}", format.name), .detail = std::move(detail)});
}

}  // namespace

std::span<const FormatInfo> formats() noexcept { return table; }

const FormatInfo* find_format(std::uint32_t id) noexcept {
    if (id >= row_of_id.size() || row_of_id[id] == no_row) return nullptr;
    return &table[row_of_id[id]];
}

const FormatInfo* find_format(std::string_view name) noexcept {
    const auto same = [&](const FormatInfo& format) { return std::ranges::equal(format.name, name, {}, upper, upper); };
    const auto found = std::ranges::find_if(table, same);
    return found == table.end() ? nullptr : &*found;
}

std::string_view other_meaning(const FormatInfo& format) noexcept { return meaning_of(format).text; }

bool is_ambiguous(const FormatInfo& format) noexcept { return meaning_of(format).ambiguous; }

const FormatInfo& format_of(TensorType type) noexcept { return *find_format(static_cast<std::uint32_t>(type)); }

Result<std::uint64_t> row_bytes(const FormatInfo& format, std::uint64_t ne0) { return tensor_bytes(format, {&ne0, 1}); }

Result<std::uint64_t> tensor_bytes(const FormatInfo& format, std::span<const std::uint64_t> ne) {
    if (!format.usable()) {
        return size_error(format, Errc::bad_tensor_type, why_unusable(format));
    }
    const std::uint64_t ne0 = ne.empty() ? 1 : ne[0];
    if (ne0 % format.block_elements != 0) {
        return size_error(format, Errc::bad_row,
                          fmt::format("ne[0] = {} is not a multiple of {}", ne0, format.block_elements));
    }
    std::optional<std::uint64_t> elements = 1;
    for (const std::uint64_t extent : ne) {
        if (elements) elements = checked_mul(*elements, extent);
    }
    if (!elements) return size_error(format, Errc::size_overflow, "the number of elements overflows");
    const auto bytes = checked_mul(*elements / format.block_elements, format.block_bytes);
    if (!bytes) return size_error(format, Errc::size_overflow, "the number of bytes overflows");
    return *bytes;
}

}  // namespace ggufkit
