// The rules that spec/gguf.md gives people are those that the program checks and cites, both ways.
#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <ggufkit/validate.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "support/files.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

const fs::path spec = fs::path(GGUFKIT_SOURCE_DIR) / "spec";

constexpr std::string_view row_start = "| GGUF-R";

// The rows of the table of rules, as the document has them.
std::vector<std::string> documented() {
    std::vector<std::string> rows;
    std::ifstream file(spec / "gguf.md");
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with(row_start)) rows.push_back(line);
    }
    return rows;
}

std::string severity(const std::optional<Severity>& severity, bool strict) {
    if (!severity) return "–";
    return std::string(name(*severity)) + (strict ? ", strict: error" : "");
}

// The row of a rule, as the document has to have it.
std::string row(const Rule& rule) {
    std::string line;
    for (const std::string& cell :
         {std::string(rule.id), std::string(name(rule.code)), severity(rule.spec, rule.strict),
          severity(rule.llama, rule.strict), std::string(rule.text)}) {
        line += "| " + cell + " ";
    }
    return line + "|";
}

}  // namespace

TEST_CASE("spec/gguf.md and the table of rules say the same") {
    const std::vector<std::string> document = documented();
    REQUIRE(!document.empty());
    for (std::size_t i = 0; i < std::max(document.size(), rules().size()); ++i) {
        CHECK((i < document.size() ? document[i] : "not in the document") ==
              (i < rules().size() ? row(rules()[i]) : "not in the program"));
    }
}

TEST_CASE("the ids of rules count up from 1 and are never used twice") {
    std::string_view last = "GGUF-R000";
    for (const Rule& rule : rules()) {
        CHECK(rule.id.size() == last.size());
        CHECK(rule.id > last);
        last = rule.id;
    }
    CHECK(last == "GGUF-R" + std::string(rules().size() < 100 ? "0" : "") + std::to_string(rules().size()));
}

TEST_CASE("strictness makes an error only of what is none") {
    for (const Rule& rule : rules()) {
        CAPTURE(rule.id);
        if (rule.strict) CHECK(rule.spec != Severity::error);
        CHECK((rule.spec || rule.llama));
    }
}

TEST_CASE("rules that are named elsewhere in spec/ exist") {
    for (const char* document : {"gguf.md", "errata.md"}) {
        CAPTURE(document);
        const std::string text = read_text(spec / document);
        REQUIRE(!text.empty());
        // R017, with or without the GGUF- in front.
        for (std::size_t at = text.find('R'); at != text.npos; at = text.find('R', at + 1)) {
            const std::string number = text.substr(at + 1, 3);
            if (number.size() != 3 || number.find_first_not_of("0123456789") != number.npos) continue;
            CAPTURE(number);
            CHECK(std::ranges::any_of(rules(), [&](const Rule& rule) { return rule.id == "GGUF-R" + number; }));
        }
    }
}
