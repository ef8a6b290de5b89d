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
