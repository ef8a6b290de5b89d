// gguf-requant --provenance and gguf-info --verify.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <filesystem>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

const std::string f16 = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string q8_0 = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";

}  // namespace

TEST_CASE("--provenance: the output says what it was made from, --verify tells that source from others") {
    const TemporaryFolder folder;
    const std::string out = folder / "m.gguf";
    const std::vector<std::string> arguments{f16, out, "Q4_K_M", "--provenance", "--json"};
    auto dry = arguments;
    dry.emplace_back("--dry-run");
    const json::object planned = json_of(run_tool("gguf-requant", dry));
    REQUIRE(run_tool("gguf-requant", arguments).exit_code == 0);
    CHECK(planned.at("bytes_out").to_number<std::uint64_t>() == std::filesystem::file_size(out));

    const CommandResult holds = run_tool("gguf-info", {out, "--verify", f16}, 0);
    CHECK(holds.exit_code == 0);
    CHECK(holds.err == "");
    CHECK(holds.text() == out + ": made from " + f16 + ": 57 tensors, each the same\n");

    const CommandResult other = run_tool("gguf-info", {out, "--verify", q8_0}, 0);
    CHECK(other.exit_code == 1);
    CHECK(other.err == "");
    CHECK(other.text().find("differs  blk.5.ffn_up.weight       another tensor of that name in the source\n") !=
          std::string::npos);
    CHECK(other.text().ends_with("\n\n" + out + ": not made from " + q8_0 + ": 13 of 57 tensors the same\n"));

    const CommandResult as_json = run_tool("gguf-info", {out, "--verify", q8_0, "--json"});
    CHECK(as_json.exit_code == 1);
    const json::object document = json_of(as_json);
    CHECK(document.at("holds") == false);
    CHECK(text_of(document.at("file")) == out);
    CHECK(text_of(document.at("source")) == q8_0);
    CHECK(text_of(document.at("tool")).starts_with("gguf-requant "));
    CHECK(document.at("recipe") == "file_type = Q4_K_M\n");
    CHECK(document.at("tensors").as_array().size() == 57);
    CHECK(document.at("tensors").at(0) == json::object{{"name", "token_embd.weight"}, {"finding", "differs"}});
    CHECK(json_of(run_tool("gguf-info", {out, "--verify", f16, "--json"})).at("holds") == true);
}

TEST_CASE("--verify: what cannot be checked is trouble with the file that is at fault") {
    const TemporaryFolder folder;
    const std::string missing = folder / "no.gguf";
    const auto refused = [](const std::vector<std::string>& arguments, int code, const std::string& message) {
        const CommandResult result = run_tool("gguf-info", arguments);
        CHECK(result.exit_code == code);
        CHECK(result.text() == "");
        CAPTURE(result.err);
        CHECK(result.err.find(message) != result.err.npos);
    };
    refused({f16, "--verify", q8_0}, 1, "gguf-info: " + f16 + ": does not say what it was made from\n");
    refused({missing, "--verify", q8_0}, 1, "gguf-info: " + missing + ": ");
    refused({f16, "--verify", missing}, 1, "gguf-info: " + missing + ": ");
    refused({f16, "--verify"}, 2, "--verify");
    refused({f16, "--verify", q8_0, "--check"}, 2, "--check");
    SmallModel bad;
    bad.set("ggufkit.provenance.source.xxh3_128", "x").save(folder / "bad.gguf");
    refused({folder / "bad.gguf", "--verify", q8_0}, 1,
            "gguf-info: " + folder / "bad.gguf" + ": key 'ggufkit.provenance.source.xxh3_128': is no list\n");
}

TEST_CASE("--provenance: of several outputs each says it, the bytes do not depend on the threads") {
    const TemporaryFolder folder;
    const std::string a = folder / "a.gguf", b = folder / "b.gguf", c = folder / "c.gguf";
    REQUIRE(run_tool("gguf-requant", {f16, "Q4_K_M:" + a, "Q8_0:" + b, "--provenance", "--threads", "3"}).exit_code ==
            0);
    REQUIRE(run_tool("gguf-requant", {f16, c, "Q8_0", "--provenance", "--threads", "1"}).exit_code == 0);
    for (const std::string& made : {a, b, c}) CHECK(run_tool("gguf-info", {made, "--verify", f16}).exit_code == 0);
    CHECK(run_shell("cmp '" + b + "' '" + c + "'").exit_code == 0);
}
