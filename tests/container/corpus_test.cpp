// The committed fuzz corpus is what support/seeds.cpp makes, and no rule is without a seed.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <ggufkit/validate.hpp>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/goldens.hpp"
#include "support/seeds.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using namespace std::string_view_literals;

namespace {

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// The ids of the rules that a file breaks in any profile.
std::set<std::string_view> broken_rules(std::span<const std::byte> file) {
    const auto view = parse(file);
    if (!view) return {view.error().rule};
    std::set<std::string_view> broken;
    const auto collect = [&](const Report& report) {
        for (const Diagnostic& diagnostic : report.diagnostics) broken.insert(diagnostic.error.rule);
    };
    collect(validate(*view));
    collect(validate(*view, {.profile = Profile::llama}));
    collect(check_semantics(*view));
    return broken;
}

}  // namespace

TEST_CASE("the fuzz corpus is what the seeds make") {
    std::map<std::string, std::string> files;
    for (const Seed& seed : seeds()) {
        CAPTURE(seed.name);
        CHECK(files.emplace(std::string(seed.name) + ".gguf", text_of(seed.bytes)).second);
        CHECK(seed.bytes.size() < 4096);
    }
    check_golden_folder("fuzz/corpus", files);
}

TEST_CASE("every rule has a fuzz seed that breaks it") {
    constexpr std::array elsewhere{
        "GGUF-R015"sv,                                // a key longer than a seed may be
        "GGUF-R043"sv, "GGUF-R044"sv, "GGUF-R045"sv,  // shards among one another
        "GGUF-R046"sv, "GGUF-R059"sv,                 // the numbers inside blocks
    };
    std::set<std::string_view> broken;
    for (const Seed& seed : seeds()) broken.merge(broken_rules(seed.bytes));
    for (const Rule& rule : rules()) {
        if (std::ranges::find(elsewhere, rule.id) != elsewhere.end()) continue;
        CAPTURE(rule.id);
        CAPTURE(rule.text);
        CHECK(broken.contains(rule.id));
    }
}

TEST_CASE("valid seeds are valid") {
    for (const Seed& seed : seeds()) {
        if (!seed.name.starts_with("valid-")) continue;
        CAPTURE(seed.name);
        const auto view = parse(seed.bytes);
        REQUIRE(view);
        CHECK(validate(*view).diagnostics.empty());
    }
}
