// Users' patterns: what they mean, and that none takes long.
#include "plan/pattern.hpp"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <chrono>
#include <regex>
#include <string>
#include <vector>

using namespace ggufkit;
using plan::Pattern;

namespace {

bool found(std::string_view pattern, std::string_view name) {
    CAPTURE(pattern);
    CAPTURE(name);
    const auto compiled = Pattern::compile(pattern);
    REQUIRE(compiled);
    const auto result = compiled->found_in(name);
    REQUIRE(result);
    return *result;
}

std::string refusal(std::string_view pattern, std::string_view name = "") {
    CAPTURE(pattern);
    const auto compiled = Pattern::compile(pattern);
    const auto result = compiled ? compiled->found_in(name) : fail(compiled.error());
    REQUIRE_FALSE(result);
    CHECK(result.error().code == Errc::bad_argument);
    return result.error().detail;
}

std::string times(int count, std::string_view text) {
    std::string all;
    for (int i = 0; i < count; ++i) all += text;
    return all;
}

}  // namespace

TEST_CASE("pattern: recipes of users find what std::regex finds") {
    const std::vector<std::string> patterns{"attn_q",
                                            "ffn_(up|down)",
                                            "^blk\\.[0-9]+\\..*weight$",
                                            "blk\\.(?:0|1)\\.",
                                            "blk.1.*",
                                            "blk\\..*\\.ssm_alpha\\.weight",
                                            "\\.ffn_.*_exps\\.",
                                            "\\.(3|4|5|1[0-9])\\.ffn_down_exps",
                                            "blk\\.([3-9]|[1-5][0-9]|60)\\.attn_.*",
                                            "attn_[kqv]\\.",
                                            "attn_[^kv]\\.",
                                            "ffn_(?!down)",
                                            "^(?!.*exps).*ffn",
                                            "(?=.*exps)blk",
                                            "\\bweight\\b",
                                            "\\d\\d",
                                            "\\w+\\.weight",
                                            "[[:digit:]]{2}",
                                            "[\\d.]{3,}",
                                            "(f)\\1n_up",
                                            "output|token_embd",
                                            "^output\\.weight$",
                                            "_{1}exps",
                                            "a{40,}",
                                            ".*?up",
                                            "^$",
                                            "\\x61ttn",
                                            "\\u0061ttn",
                                            "ffn\\_up",
                                            "blk\\/",
                                            "e(x|)p",
                                            "[a-c]lk",
                                            "[.]ffn",
                                            "(up|gate)?_exps"};
    const std::vector<std::string> names{"blk.0.attn_q.weight",
                                         "blk.1.attn_output.weight",
                                         "blk.10.ffn_up_exps.weight",
                                         "blk.12.ffn_down_exps.weight",
                                         "blk.3.ffn_down.weight",
                                         "blk.60.attn_k_b.weight",
                                         "blk.0.ssm_alpha.weight",
                                         "output.weight",
                                         "token_embd.weight",
                                         "blk.1." + times(50, "a") + ".weight",
                                         "",
                                         "v.blk.0.ffn_up.bias"};
    for (const std::string& pattern : patterns) {
        const std::regex reference(pattern);
        for (const std::string& name : names) {
            CAPTURE(pattern);
            CAPTURE(name);
            CHECK(found(pattern, name) == std::regex_search(name, reference));
        }
    }
}

TEST_CASE("pattern: where PCRE2 means something else, ECMAScript's meaning holds") {
    CHECK(found("\\home", "home"));  // \h, \a, \e, \q are letters
    CHECK_FALSE(found("\\h", " "));
    CHECK(found("^\\a\\e\\q\\z\\k\\g$", "aeqzkg"));
    CHECK(found("(?<x>f)\\k<x>", "ff"));
    CHECK(found("a\\.b", "a.b"));
    CHECK_FALSE(found("a$", "a\n"));
    CHECK_FALSE(found("a.b", "a\rb"));
    CHECK(found("a[^]b", "a\nb"));
    CHECK_FALSE(found("a[]", "a"));
    CHECK(found("^(?:(a)|b)\\1$", "b"));  // a group that is not set is empty
    CHECK(found("\\x6", "x6"));
}

TEST_CASE("pattern: none takes long, overflows the stack or hangs") {
    const std::string name = "blk.0." + times(50, "a") + ".weight", twice = name + "x" + name;
    const auto start = std::chrono::steady_clock::now();
    int refused = 0;
    for (const std::string& pattern :
         {std::string("(.*)*x$"), std::string("(a+)+$x?y"), std::string("(\\w+\\.?)+y?!"), times(8, "(.*)") + "!|!",
          times(450, "a?") + times(450, "a"), times(40, "(?=(a|b)*"), std::string("(a|aa)+$!?\\1"),
          times(20'000, "(") + "a" + times(20'000, ")"), times(60'000, "a|")}) {
        const auto compiled = Pattern::compile(pattern);
        refused += !compiled || !compiled->found_in(name) || !compiled->found_in(twice);
        if (compiled) (void)compiled->found_in(std::string(1000, 'a'));
    }
    CHECK(refused > 3);
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(30));  // one alone once took minutes
    CHECK(refusal("(.*)*[!?]", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")
              .starts_with("takes more than 50000 steps in the name 'aaaa"));
    CHECK(found("(a|b)*", times(1000, "a")));
    CHECK_FALSE(found("a", std::string(1'000'000, 'a')));  // longer than a name can be
}

TEST_CASE("pattern: a bad one is explained, a glob with the expression to write for it") {
    const std::string glob =
        "not a regular expression: quantifier does not follow a repeatable item at character 1; a pattern is a regular "
        "expression, not a glob: ";
    CHECK(refusal("*ffn*") == glob + "try 'ffn'");
    CHECK(refusal("*.ffn_*_exps.*") == glob + "try '\\.ffn_.*_exps\\.'");
    CHECK(refusal("*") == glob + "try '.*'");
    CHECK(refusal("?lk.0") == glob + "try '.lk\\.0'");
    CHECK(refusal("*(a|b)") == glob + "'.*' stands for any text");
    CHECK(refusal("ffn(up") == "not a regular expression: missing closing parenthesis at character 7");
    CHECK(refusal(times(70'000, "a")) == "the pattern has 70000 bytes; 65536 are allowed");
}
