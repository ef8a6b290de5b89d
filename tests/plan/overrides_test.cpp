#include "plan/overrides.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

using namespace ggufkit;
using plan::Overrides;

TEST_CASE("overrides: the first pattern that is found decides, and patterns are made lower case") {
    const std::vector<TypeOverride> rows{{"FFN_(up|gate)", TensorType::Q4_K}, {"ffn_", TensorType::Q6_K}};
    const auto overrides = Overrides::compile(rows);
    REQUIRE(overrides);
    CHECK(overrides->find("blk.0.ffn_gate.weight").value() == &rows[0]);
    CHECK(overrides->find("blk.0.ffn_down.weight").value() == &rows[1]);
    CHECK(overrides->find("blk.0.attn_q.weight").value() == nullptr);
    CHECK(overrides->find("blk.0.FFN_down.weight").value() == nullptr);
}

TEST_CASE("overrides: names far longer than a file may have neither match nor end the program") {
    const std::vector<TypeOverride> rows{{"(a|b)*c", TensorType::Q4_K}, {"b|a", TensorType::Q6_K}};
    const auto overrides = Overrides::compile(rows);
    REQUIRE(overrides);
    CHECK(overrides->find(std::string(1000, 'a')).value() == &rows[1]);
    CHECK(overrides->find(std::string(1'000'000, 'a')).value() == nullptr);
}

TEST_CASE("overrides: of names and patterns the first decides, and ten thousand names are one table") {
    std::vector<TypeOverride> rows{{"ffn_up", TensorType::Q4_0},
                                   {TensorName("blk.0.attn_q"), TensorType::Q4_K},
                                   {"attn", TensorType::Q5_K},
                                   {TensorName("blk.1.attn_q"), TensorType::Q6_K},
                                   {TensorName("blk.0.attn_q"), TensorType::Q8_0},
                                   {TensorName("blk.1.ffn_up"), TensorType::Q8_0}};
    constexpr int many = 10'000;  // as regular expressions, each searched in each name, minutes
    for (int i = 0; i < many; ++i)
        rows.push_back({TensorName("blk." + std::to_string(i) + ".ssm_in"), TensorType::Q4_0});
    const auto overrides = Overrides::compile(rows);
    REQUIRE(overrides);
    CHECK(overrides->find("blk.0.attn_q").value() == &rows[1]);
    CHECK(overrides->find("blk.1.attn_q").value() == &rows[2]);
    CHECK(overrides->find("blk.1.ffn_up").value() == &rows[0]);
    int found = 0;
    for (int i = 0; i < many; ++i) {
        found +=
            overrides->find("blk." + std::to_string(i) + ".ssm_in").value() == &rows[static_cast<std::size_t>(i) + 6];
    }
    CHECK(found == many);
}
