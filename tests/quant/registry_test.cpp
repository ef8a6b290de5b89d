#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <ggufkit/format.hpp>
#include <limits>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "format/other_meaning.hpp"

using namespace ggufkit;

namespace {

// What the field agrees on, typed in by hand once more: sizes in the registry are computed from structs.
struct Known {
    std::uint32_t id;
    std::string_view name;
    std::uint32_t elements;
    std::uint32_t bytes;
    double bpw;
};
constexpr Known known[] = {
    {0, "F32", 1, 4, 32},
    {1, "F16", 1, 2, 16},
    {2, "Q4_0", 32, 18, 4.5},
    {3, "Q4_1", 32, 20, 5.0},
    {6, "Q5_0", 32, 22, 5.5},
    {7, "Q5_1", 32, 24, 6.0},
    {8, "Q8_0", 32, 34, 8.5},
    {9, "Q8_1", 32, 36, 9.0},
    {10, "Q2_K", 256, 84, 2.625},
    {11, "Q3_K", 256, 110, 3.4375},
    {12, "Q4_K", 256, 144, 4.5},
    {13, "Q5_K", 256, 176, 5.5},
    {14, "Q6_K", 256, 210, 6.5625},
    {15, "Q8_K", 256, 292, 9.125},
    {16, "IQ2_XXS", 256, 66, 2.0625},
    {17, "IQ2_XS", 256, 74, 2.3125},
    {18, "IQ3_XXS", 256, 98, 3.0625},
    {19, "IQ1_S", 256, 50, 1.5625},
    {20, "IQ4_NL", 32, 18, 4.5},
    {21, "IQ3_S", 256, 110, 3.4375},
    {22, "IQ2_S", 256, 82, 2.5625},
    {23, "IQ4_XS", 256, 136, 4.25},
    {24, "I8", 1, 1, 8},
    {25, "I16", 1, 2, 16},
    {26, "I32", 1, 4, 32},
    {27, "I64", 1, 8, 64},
    {28, "F64", 1, 8, 64},
    {29, "IQ1_M", 256, 56, 1.75},
    {30, "BF16", 1, 2, 16},
    {34, "TQ1_0", 256, 54, 1.6875},
    {35, "TQ2_0", 256, 66, 2.0625},
    {39, "MXFP4", 32, 17, 4.25},
    {40, "NVFP4", 64, 36, 4.5},
    {41, "Q1_0", 128, 18, 1.125},
    {42, "Q2_0", 64, 18, 2.25},
};

const FormatInfo& format(std::string_view name) {
    const FormatInfo* const found = find_format(name);
    REQUIRE(found != nullptr);
    return *found;
}

std::string name_of(std::uint32_t id) { return std::string(find_format(id)->name); }

}  // namespace

TEST_CASE("every format has the id, name and size that the field gives it") {
    for (const Known& row : known) {
        CAPTURE(row.name);
        const FormatInfo* const found = find_format(row.id);
        REQUIRE(found != nullptr);
        CHECK(found->id == row.id);
        CHECK(found->name == row.name);
        CHECK(found->block_elements == row.elements);
        CHECK(found->block_bytes == row.bytes);
        CHECK(found->bpw() == row.bpw);
        CHECK(found->quantized() == (row.elements > 1));
        CHECK(&format_of(found->type()) == found);
    }
    CHECK(std::ranges::count_if(formats(), &FormatInfo::usable) == std::size(known));
}

TEST_CASE("removed and foreign ids have names and no layout") {
    const std::map<std::uint32_t, std::string_view> removed{
        {4, "Q4_2"},      {5, "Q4_3"},        {31, "Q4_0_4_4"},   {32, "Q4_0_4_8"},
        {33, "Q4_0_8_8"}, {36, "IQ4_NL_4_4"}, {37, "IQ4_NL_4_8"}, {38, "IQ4_NL_8_8"},
    };
    std::size_t n_removed = 0;
    for (const FormatInfo& row : formats()) {
        if (row.usable()) continue;
        CAPTURE(row.name);
        CHECK(row.family == Family::none);
        CHECK(row.block_elements == 0);
        CHECK(row.bpw() == 0.0);
        CHECK(row.fields.empty());
        if (row.standing == Standing::removed) {
            ++n_removed;
            CHECK(removed.at(row.id) == row.name);
        } else if (is_ambiguous(row)) {
            CHECK(row.name == fmt::format("FORK_{}", row.id));
            CHECK(other_meaning(row).find("as the fork has it") != std::string_view::npos);
        } else {
            CHECK(row.standing == Standing::foreign);
            CHECK(row.id > 48);
        }
        CHECK(row_bytes(row, 256).error().code == Errc::bad_tensor_type);
    }
    CHECK(n_removed == removed.size());
    for (std::uint32_t id = 43; id <= 48; ++id) CHECK(is_ambiguous(*find_format(id)));
    CHECK(other_meaning(*find_format(41U)).starts_with("Q1_0_G128 in ik_llama.cpp"));
    CHECK(other_meaning(*find_format(2U)).empty());
    CHECK(name_of(142) == "PQ2_0");
    CHECK(name_of(143) == "PTQ1_0");
    CHECK(name_of(353) == "MXFP4_R8");
    CHECK(name_of(397) == "Q8_K_R16");
    CHECK(name_of(97) == "Q8_0_X4");
    CHECK(name_of(139) == "IQ4_K");
    CHECK(name_of(212) == "Q4_K_R4");
    CHECK(name_of(399) == "Q8_K_R8");
}

TEST_CASE("rows are in order of id and found by id and by name") {
    std::set<std::string_view> names;
    for (std::size_t i = 0; i < formats().size(); ++i) {
        const FormatInfo& row = formats()[i];
        if (i > 0) CHECK(formats()[i - 1].id < row.id);
        CHECK(find_format(row.id) == &row);
        CHECK(find_format(row.name) == &row);
        CHECK(names.insert(row.name).second);
    }
    for (const std::uint32_t id : {49u, 96u, 100u, 162u, 400u, 0x7fffffffu, 0xffffffffu}) {
        CHECK(find_format(id) == nullptr);
    }
    CHECK(find_format("q4_k") == find_format("Q4_K"));
    CHECK(find_format("iq2_XXS") == find_format(16));
    for (const std::string_view name : {"", "Q4", "Q4_KK", " Q4_K", "Q4-K"}) CHECK(find_format(name) == nullptr);
}

TEST_CASE("the fields of a format cover every byte of its block once") {
    for (const FormatInfo& row : formats()) {
        CAPTURE(row.name);
        std::vector<int> covered(row.block_bytes, 0);
        for (const Field& field : row.fields) {
            CAPTURE(field.name);
            CHECK((field.width == 1 || field.width == 2 || field.width == 4 || field.width == 8));
            CHECK(field.stride >= field.width);
            for (std::size_t i = 0; i < field.count; ++i) {
                const std::size_t at = field.offset + i * field.stride;
                REQUIRE(at + field.width <= covered.size());
                for (std::size_t k = 0; k < field.width; ++k) ++covered[at + k];
            }
        }
        CHECK(std::ranges::all_of(covered, [](int times) { return times == 1; }));
    }
}

TEST_CASE("numbers of several bytes lie where the format has them") {
    // type: {offset, width, count, stride} of each
    using Wide = std::vector<std::array<unsigned, 4>>;
    const std::map<std::string_view, Wide> expected{
        {"Q8_1", {{0, 2, 1, 2}, {2, 2, 1, 2}}},
        {"Q5_0", {{0, 2, 1, 2}, {2, 4, 1, 4}}},
        {"Q5_1", {{0, 2, 1, 2}, {2, 2, 1, 2}, {4, 4, 1, 4}}},
        {"Q2_K", {{80, 2, 1, 2}, {82, 2, 1, 2}}},
        {"Q6_K", {{208, 2, 1, 2}}},
        {"Q8_K", {{0, 4, 1, 4}, {260, 2, 16, 2}}},
        {"IQ2_XXS", {{0, 2, 1, 2}, {6, 4, 8, 8}}},
        {"IQ2_XS", {{0, 2, 1, 2}, {2, 2, 32, 2}}},
        {"IQ3_XXS", {{0, 2, 1, 2}, {66, 4, 8, 4}}},
        {"IQ1_S", {{0, 2, 1, 2}, {34, 2, 8, 2}}},
        {"IQ1_M", {{48, 2, 4, 2}}},
        {"IQ4_XS", {{0, 2, 1, 2}, {2, 2, 1, 2}}},
        {"MXFP4", {}},
        {"NVFP4", {}},
        {"F64", {{0, 8, 1, 8}}},
    };
    for (const auto& [name, fields] : expected) {
        CAPTURE(name);
        Wide wide;
        for (const Field& field : format(name).fields) {
            if (field.width > 1) wide.push_back({field.offset, field.width, field.count, field.stride});
        }
        CHECK(wide == fields);
    }
}

TEST_CASE("fallbacks, imatrix needs and standings") {
    const std::map<std::string_view, std::string_view> fallbacks{
        {"IQ1_S", "IQ4_NL"}, {"IQ1_M", "IQ4_NL"},  {"IQ2_XXS", "IQ4_NL"}, {"IQ2_XS", "IQ4_NL"}, {"IQ2_S", "IQ4_NL"},
        {"IQ3_S", "IQ4_NL"}, {"IQ4_XS", "IQ4_NL"}, {"IQ3_XXS", "IQ4_NL"}, {"NVFP4", "MXFP4"},   {"Q1_0", "Q4_0"},
        {"Q2_0", "Q4_0"},    {"Q2_K", "Q4_0"},     {"Q3_K", "Q4_0"},      {"TQ1_0", "Q4_0"},    {"TQ2_0", "Q4_0"},
        {"Q4_K", "Q5_0"},    {"Q5_K", "Q5_1"},     {"Q6_K", "Q8_0"},
    };
    const std::set<std::string_view> always{"IQ2_XXS", "IQ2_XS", "IQ1_S"};
    const std::set<std::string_view> by_rule{"IQ3_XXS", "IQ2_S", "IQ1_M", "Q2_K"};
    const std::set<std::string_view> activations{"Q8_1", "Q8_K"};
    for (const FormatInfo& row : formats()) {
        CAPTURE(row.name);
        const auto fallback = fallbacks.find(row.name);
        CHECK(name_of(row.fallback) == (fallback == fallbacks.end() ? row.name : fallback->second));
        const auto need = always.contains(row.name)    ? ImatrixNeed::always
                          : by_rule.contains(row.name) ? ImatrixNeed::file_type_rule
                                                       : ImatrixNeed::none;
        CHECK(row.imatrix == need);
        if (row.usable()) {
            CHECK(row.standing == (activations.contains(row.name) ? Standing::activation_only : Standing::active));
        }
    }
}

TEST_CASE("sizes of rows and tensors are checked") {
    constexpr std::uint64_t huge = std::numeric_limits<std::uint64_t>::max();
    const auto bytes = [](std::string_view name, std::vector<std::uint64_t> ne) {
        return tensor_bytes(format(name), ne);
    };

    CHECK(row_bytes(format("Q4_K"), 512) == 288u);
    CHECK(row_bytes(format("Q4_K"), 0) == 0u);
    CHECK(row_bytes(format("Q4_K"), 511).error().code == Errc::bad_row);
    CHECK(row_bytes(format("F64"), huge).error().code == Errc::size_overflow);

    CHECK(bytes("F32", {}) == 4u);  // a scalar
    CHECK(bytes("F32", {3}) == 12u);
    CHECK(bytes("Q8_0", {64, 3, 2, 5}) == 34u * 2 * 30);
    CHECK(bytes("Q8_0", {64, 0, 5}) == 0u);
    CHECK(bytes("Q8_0", {}).error().code == Errc::bad_row);
    // The tensor is a whole number of blocks; its rows are not.
    CHECK(bytes("Q8_0", {16, 2}).error().code == Errc::bad_row);

    // The elements wrap although the bytes would not.
    CHECK(bytes("Q1_0", {128, huge / 128 + 1}).error().code == Errc::size_overflow);
    CHECK(bytes("I8", {huge}) == huge);
    CHECK(bytes("I8", {huge, 2}).error().code == Errc::size_overflow);
    // The bytes wrap although the elements do not.
    CHECK(bytes("F32", {huge / 4 + 1}).error().code == Errc::size_overflow);
    CHECK(bytes("F32", {1ull << 32, 1ull << 32}).error().code == Errc::size_overflow);
}

TEST_CASE("spec/quant-formats.md lists exactly the registry") {
    std::ifstream file(GGUFKIT_SOURCE_DIR "/spec/quant-formats.md");
    REQUIRE(file);
    std::vector<std::string> listed;
    for (std::string line; std::getline(file, line);) {
        // | 12 | Q4_K | k | 256 | 144 | 4.5 | Q5_0 |
        if (line.starts_with("| ") && line.size() > 2 && line[2] >= '0' && line[2] <= '9') listed.push_back(line);
    }
    std::vector<std::string> expected;
    const std::map<Family, std::string_view> families{
        {Family::plain, "plain"}, {Family::legacy, "legacy"},   {Family::k, "k"},
        {Family::iq, "iq"},       {Family::ternary, "ternary"}, {Family::fp4, "fp4"}};
    for (const FormatInfo& row : formats()) {
        if (row.usable()) {
            const std::string fallback = row.fallback == row.id ? "–" : name_of(row.fallback);
            expected.push_back(fmt::format("| {} | {} | {} | {} | {} | {} | {} |", row.id, row.name,
                                           families.at(row.family), row.block_elements, row.block_bytes, row.bpw(),
                                           fallback));
        } else {
            expected.push_back(fmt::format("| {} | {} | {} |", row.id, row.name,
                                           row.standing == Standing::removed ? "removed"
                                           : is_ambiguous(row)               ? "forks"
                                                                             : "ik_llama.cpp"));
        }
    }
    std::ranges::sort(listed);
    std::ranges::sort(expected);
    for (const std::string& line : expected) {
        INFO(line);
        CHECK(std::ranges::binary_search(listed, line));
    }
    CHECK(listed.size() == expected.size());
}
