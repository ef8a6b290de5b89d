// The committed fuzz corpus is what support/seeds.cpp makes, and no rule is without a seed.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <ggufkit/validate.hpp>
#include <iterator>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "support/seeds.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using namespace std::string_view_literals;
namespace fs = std::filesystem;

namespace {

const fs::path corpus = fs::path(GGUFKIT_SOURCE_DIR) / "fuzz" / "corpus";

std::string text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::string content(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
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

// Set GGUFKIT_UPDATE_CORPUS to write the files instead of comparing them.
TEST_CASE("the fuzz corpus is what the seeds make") {
    const bool update = std::getenv("GGUFKIT_UPDATE_CORPUS") != nullptr;
    std::set<std::string> expected;
    for (const Seed& seed : seeds()) {
        CAPTURE(seed.name);
        const std::string name = std::string(seed.name) + ".gguf";
        CHECK(expected.insert(name).second);
        CHECK(seed.bytes.size() < 4096);
        const std::string bytes = text_of(seed.bytes);
        if (update) std::ofstream(corpus / name, std::ios::binary | std::ios::trunc) << bytes;
        CHECK(fs::exists(corpus / name));
        CHECK((content(corpus / name) == bytes));
    }
    // Inputs that fuzzing found are kept beside them, under names of their own.
    for (const auto& entry : fs::directory_iterator(corpus)) {
        const std::string name = entry.path().filename().string();
        CAPTURE(name);
        CHECK((expected.contains(name) || name.starts_with("found-")));
    }
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
