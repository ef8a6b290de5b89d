// gguf-diff as a program.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <sstream>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"
#include "tools/different_models.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

std::size_t cli_width(std::string_view line) {
    // Characters: those of these models are all one column wide.
    return static_cast<std::size_t>(
        std::ranges::count_if(line, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

}  // namespace

TEST_CASE("gguf-diff shows what differs and exits with 1") {
    const TemporaryFolder folder;
    const auto [a, b] = different_models();
    const std::string path_a = a.save(folder / "a.gguf"), path_b = b.save(folder / "b.gguf");
    const CommandResult result = run_tool("gguf-diff", {path_a, path_b}, 100);
    CHECK(result.exit_code == 1);
    CHECK(result.err == "");
    std::string text = result.text();
    const std::string prefix = folder.path().string() + "/";
    for (std::size_t at; (at = text.find(prefix)) != text.npos;) text.erase(at, prefix.size());
    CHECK("\n" + text == R"(
--- a.gguf
+++ b.gguf

   KEY                      TYPE       VALUE
-  general.author           str        me
~  general.file_type        u32        15 (Q4_K_M) → 7 (Q8_0)
+  general.tags             str[2]     ["chat", "\x1b[2Jsmall"]
~  llama.context_length     u32 → u64  4096 → 8192
~  tokenizer.chat_template  str        1 line out, 1 line in: see below
~  tokenizer.ggml.tokens    str[10]    [3]: "\"" → "'"

~ tokenizer.chat_template
   @@ -1,2 +1,2 @@
    {% for message in messages %}{{ message['content'] }}
   -{% endfor %}{{ eos_token }}
   +{% endif %}{{ eos_token }}{{ bos_token }}

~ tokenizer
    tokens: 10; 1 added, 1 removed, 0 moved
   -  "\""
   +  "'"

   TENSOR                  TYPE  SHAPE
-  blk.0.attn_norm.weight  F32   256
~  blk.1.attn_v.weight     Q8_0  256x64 → 64x256
+  output.weight           F16   256x10

   TENSOR               TYPE           ERROR     SQNR    MAX    EQUAL  BLOCKS
~  blk.0.attn_q.weight  Q4_K → Q5_K    211 %  -6.5 dB   2598  0.194 %
~  token_embd.weight    Q6_K         0.669 %  43.5 dB  0.227   90.8 %  1 of 10

PART         TENSORS  WEIGHTS    ERROR     SQNR   EQUAL
attn_q             2  131.1 K    141 %  -3.0 dB  50.1 %
token_embd         1   2.56 K  0.669 %  43.5 dB  90.8 %
all tensors        7  412.4 K   79.6 %   2.0 dB  84.1 %

   error by layer  ▁·
                   117 % to 117 %, layers 0 to 1

keys: 1 removed, 1 added, 4 changed
tensors: 1 removed, 1 added, 1 retyped, 1 reshaped, 1 with other bytes, 5 equal
values: relative error 79.6 %, SQNR 2.0 dB, 412.4 K weights
)");
}

TEST_CASE("gguf-diff --json, field by field") {
    const TemporaryFolder folder;
    const auto [a, b] = different_models();
    const CommandResult result =
        run_tool("gguf-diff", {a.save(folder / "a.gguf").string(), b.save(folder / "b.gguf").string(), "--json"});
    CHECK(result.exit_code == 1);
    const json::object document = json_of(result);
    CHECK(document.at("same") == false);
    CHECK(document.at("tensors_equal") == 5);
    const json::array& keys = document.at("metadata").as_array();
    REQUIRE(keys.size() == 6);
    CHECK(json::serialize(keys[0]) ==
          R"({"key":"general.author","change":"removed","a":{"type":"str","value":"me"},"b":null})");
    CHECK(
        json::serialize(keys[1]) ==
        R"({"key":"general.file_type","change":"changed","a":{"type":"u32","value":15,"file_type":"Q4_K_M"},"b":{"type":"u32","value":7,"file_type":"Q8_0"}})");
    CHECK(keys[2].at("key") == "general.tags");
    CHECK(keys[2].at("change") == "added");
    CHECK(keys[2].at("a").is_null());
    CHECK(keys[3].at("b").at("type") == "u64");
    CHECK(keys[5].at("a").at("value").as_array().size() == 10);

    const json::array& tensors = document.at("tensors").as_array();
    REQUIRE(tensors.size() == 5);
    CHECK(tensors[0].at("name") == "token_embd.weight");
    CHECK(tensors[0].at("bytes_differ") == true);
    CHECK(tensors[0].at("a").at("xxh3_128").as_string().size() == 32);
    CHECK(tensors[0].at("a").at("xxh3_128") != tensors[0].at("b").at("xxh3_128"));
    CHECK(tensors[1].at("change") == "removed");
    CHECK(tensors[1].at("b").is_null());
    CHECK(tensors[2].at("retyped") == true);
    CHECK(tensors[2].at("part") == "attn_q");
    CHECK(tensors[2].at("layer") == 0);
    CHECK(json::serialize(tensors[2].at("b")) == R"({"type":"Q5_K","shape":[256,256],"bytes":45056})");
    CHECK(json::serialize(tensors[0].at("blocks")) == R"({"count":10,"differ":1,"first":[9]})");
    CHECK(json::serialize(document.at("tokenizer")) ==
          R"({"tokens":{"a":10,"b":10,"added":1,"removed":1,"moved":0},)"
          R"("merges":{"a":0,"b":0,"added":0,"removed":0,"moved":0},"scores":0,"max_score_change":0E0,"types":0})");
    CHECK(tensors[3].at("reshaped") == true);
    CHECK(tensors[4].at("change") == "added");
    CHECK(tensors[4].at("a").is_null());
}

TEST_CASE("gguf-diff exits with 0 for the same model, in whatever files") {
    const TemporaryFolder folder;
    const SmallModel model = small_llama();
    const std::string plain = model.save(folder / "plain.gguf"), split = model.save_split(folder / "split", 2);
    const std::string big =
        model.save(folder / "big.gguf", {.order = ByteOrder::big, .alignment = 128, .backwards = true});
    for (const std::string& other : {plain, split, big}) {
        const CommandResult result = run_tool("gguf-diff", {plain, other});
        CHECK(result.exit_code == 0);
        CHECK(result.text() == "the same: 9 equal tensors\n");
        CHECK(run_tool("gguf-diff", {plain, other, "--brief"}).text() == result.text());
        const json::object document = json_of(run_tool("gguf-diff", {other, plain, "--json"}));
        CHECK(document.at("same") == true);
        CHECK(document.at("tensors_equal") == 9);
        CHECK(document.at("metadata").as_array().empty());
        CHECK(document.at("tensors").as_array().empty());
        CHECK(document.at("total").is_null());
    }
}

TEST_CASE("gguf-diff says what to do with a patch, and what a patch takes") {
    const TemporaryFolder folder;
    const std::string good = small_llama().save(folder / "good.gguf"), patch = folder / "p.ggufpatch";
    write_file(patch, "GGUFPTCH and so on");
    const std::string said =
        "gguf-diff: " + patch +
        ": magic @0x0: BAD_MAGIC GGUF-R002 this is a patch, not a GGUF file; apply it with 'gguf-diff --apply'\n";
    for (const auto& arguments : std::vector<std::vector<std::string>>{{patch, good},
                                                                       {good, patch},
                                                                       {good, good, patch},
                                                                       {patch, good, "--patch", folder / "new"},
                                                                       {good, patch, "--patch", folder / "new"}}) {
        const CommandResult result = run_tool("gguf-diff", arguments);
        CHECK(result.exit_code == 2);
        CHECK(result.err == said);
    }
    write_file(patch, "GGUFxxxx and so on");
    CHECK(run_tool("gguf-diff", {patch, good}).err.find("GGUF-R003") != std::string::npos);
    for (const auto& arguments : std::vector<std::vector<std::string>>{{"--apply", patch}, {"--apply", patch, good}}) {
        CHECK(run_tool("gguf-diff", arguments)
                  .err.starts_with("gguf-diff: --apply takes OLD and NEW, or --in-place and one FILE\n"));
    }
    CHECK(run_tool("gguf-diff", {"--patch", patch}).err.starts_with("gguf-diff: --patch takes OLD and NEW\n"));
}

TEST_CASE("gguf-diff exits with 2 where it cannot say") {
    const TemporaryFolder folder;
    const std::string good = small_llama().save(folder / "good.gguf"), bad = folder / "bad.gguf";
    auto bytes = small_llama().bytes();
    bytes.resize(bytes.size() / 2);
    write_file(bad, bytes);
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{good},
                                               {good, good, good, good},
                                               {good, good, bad},
                                               {good, good, "--imatrix", bad},
                                               {good, good, "--sample", "1"},
                                               {good, good, "--tolerance", "2"},
                                               {good, good, "--tolerance", "nan"},
                                               {good, good, "--fail-above", "max=nan"},
                                               {good, good, "--fail-above", "max"},
                                               {good, good, "--fail-above", "min=3"},
                                               {good, good, "--fail-above", "max=x"},
                                               {good, good, "--fail-above", "weighted_relative_rmse=1"},
                                               {good, good, "--brief", "--json"},
                                               {good, good, good, "--blocks"},
                                               {good, good, "--brief", "--all"},
                                               {good, good, "--brief", "--blocks"},
                                               {good, good, "--json", "--all"},
                                               {good, good, "--sample", "4", "--blocks"},
                                               {good, good, "--force"},
                                               {good, good, "--zstd-level", "4"},
                                               {good, good, "--apply", bad, "--zstd-level", "4"},
                                               {"-", "-"},
                                               {good, folder / "missing.gguf"},
                                               {good, bad},
                                               {bad, good},
                                               {good, good, "--threads", "0"}}) {
        const CommandResult result = run_tool("gguf-diff", arguments);
        CHECK(result.exit_code == 2);
        CHECK(result.text() == "");
        CHECK(result.err.starts_with("gguf-diff: "));
    }
}

namespace {

const std::string f16 = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string q8_0 = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";
const std::string matrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

std::string requantized(const TemporaryFolder& folder, const std::string& type) {
    const std::string path = folder / type + ".gguf";
    REQUIRE(run_tool("gguf-requant", {f16, path, type}).exit_code == 0);
    return path;
}

}  // namespace

TEST_CASE("gguf-diff names an option that there is not, whatever else is missing") {
    CHECK(run_tool("gguf-diff", {"--nonsense"}).err.find("--nonsense") != std::string::npos);
    CHECK(run_tool("gguf-diff", {"--brief"}).err.starts_with("gguf-diff: A and B are missing\n"));
}

TEST_CASE("gguf-diff keeps to the width of the screen") {
    const TemporaryFolder folder;
    const std::string q4 = requantized(folder, "Q4_0");
    SmallModel a = small_llama(), b = small_llama();
    a.set("tokenizer.chat_template", std::string(300, 'x') + "one" + std::string(300, 'y'));
    b.set("tokenizer.chat_template", std::string(300, 'x') + "two" + std::string(300, 'y'));
    const std::string path_a = a.save(folder / "a.gguf"), path_b = b.save(folder / "b.gguf");
    for (const int width : {60, 80, 120, 160}) {
        for (const auto& files : std::vector<std::vector<std::string>>{{f16, q4}, {f16, q8_0, q4}, {path_a, path_b}}) {
            CAPTURE(width);
            std::istringstream lines(run_tool("gguf-diff", files, width).text());
            std::string line;
            while (std::getline(lines, line)) {
                if (line.starts_with("--- ") || line.starts_with("+++ ") || line.starts_with("base: ")) continue;
                if (line.starts_with("values: ") || line.starts_with("keys: ") || line.find("nearer to") != line.npos)
                    continue;
                CAPTURE(line);
                CHECK(cli_width(line) <= static_cast<std::size_t>(width));
            }
        }
    }
    const std::string text = run_tool("gguf-diff", {path_a, path_b}, 80).text();
    CHECK(text.find("-…xxxxxxxxxxxxxxxxxxxxoneyyy") != text.npos);
    CHECK(text.find("+…xxxxxxxxxxxxxxxxxxxxtwoyyy") != text.npos);
}

TEST_CASE("gguf-diff shows the worst tensors first, all with --all") {
    const TemporaryFolder folder;
    const std::string q4 = requantized(folder, "Q4_0");
    const std::string text = run_tool("gguf-diff", {f16, q4}, 160).text();
    CHECK(text.find("… and 24 tensors more: --all shows them") != text.npos);
    CHECK(text.find("error by layer  ") != text.npos);
    const std::string all = run_tool("gguf-diff", {f16, q4, "--all"}, 160).text();
    CHECK(all.find("--all shows them") == all.npos);
    const json::array tensors = json_of(run_tool("gguf-diff", {f16, q4, "--json"})).at("tensors").as_array();
    CHECK(tensors.size() == 44);
    double worst = 0;
    std::string name;
    for (const json::value& tensor : tensors) {
        const double error = tensor.at("error").at("relative_rmse").as_double();
        if (error > worst) worst = error, name = text_of(tensor.at("name"));
        CHECK(all.find(text_of(tensor.at("name"))) != all.npos);
    }
    CHECK(text.find("ERROR") < text.find("~  " + name));
    CHECK(text.find("~  " + name) < text.find("~  ", text.find("~  " + name) + 1));
    CHECK(text.find("~  blk", text.find("ERROR")) >= text.find("~  " + name));
}

TEST_CASE("gguf-diff --ignore and --tolerance") {
    const TemporaryFolder folder;
    SmallModel a = small_llama(), b = small_llama();
    b.set("general.name", "Other").set("llama.attention.layer_norm_rms_epsilon", Value::of_float32(1.0001e-5f));
    const std::string path_a = a.save(folder / "a.gguf"), path_b = b.save(folder / "b.gguf");
    CHECK(run_tool("gguf-diff", {path_a, path_b}).exit_code == 1);
    CHECK(run_tool("gguf-diff", {path_a, path_b, "--ignore", "general.*"}).exit_code == 1);
    CHECK(run_tool("gguf-diff", {"--ignore", "general.*", path_a, path_b, "--tolerance", "0.001"}).exit_code == 0);
    const CommandResult brief = run_tool("gguf-diff", {path_a, path_b, "--brief"});
    CHECK(brief.exit_code == 1);
    CHECK(brief.text() == "different\nkeys: 2 changed\ntensors: 9 equal\n");
}

TEST_CASE("gguf-diff --fail-above decides by numbers alone") {
    const TemporaryFolder folder;
    const std::string q4 = requantized(folder, "Q4_0");
    const CommandResult good = run_tool("gguf-diff", {f16, q4, "--fail-above", "relative_rmse=0.2"});
    CHECK(good.exit_code == 0);
    CHECK(good.err == "");
    const CommandResult bad =
        run_tool("gguf-diff", {f16, q4, "--fail-above", "relative_rmse=0.001", "--fail-above", "max=100"});
    CHECK(bad.exit_code == 1);
    CHECK(bad.err.find("relative_rmse 0.") != bad.err.npos);
    CHECK(bad.err.find(" is above 0.001\n") != bad.err.npos);
    CHECK(bad.err.find("max") == bad.err.npos);
    SmallModel a = small_llama(), b = small_llama();
    b.remove("blk.0.attn_q.weight");
    CHECK(run_tool("gguf-diff", {a.save(folder / "a.gguf").string(), b.save(folder / "b.gguf").string(), "--fail-above",
                                 "relative_rmse=9"})
              .exit_code == 1);
}

TEST_CASE("gguf-diff --sample says how sure it is") {
    const TemporaryFolder folder;
    const std::string q4 = requantized(folder, "Q4_0");
    const CommandResult result = run_tool("gguf-diff", {f16, q4, "--sample", "8"}, 120);
    CHECK(result.exit_code == 1);
    CHECK(result.text().find(" to ") != std::string::npos);
    CHECK(result.text().find("sample: 8 runs of up to 2,048 weights a tensor; errors with 95 % confidence\n") !=
          std::string::npos);
    const json::object document = json_of(run_tool("gguf-diff", {f16, q4, "--sample", "8", "--json"}));
    const json::object whole = json_of(run_tool("gguf-diff", {f16, q4, "--json"}));
    CHECK(document.at("sample") == 8);
    REQUIRE(document.at("tensors").as_array().size() == whole.at("tensors").as_array().size());
    CHECK(document.at("tensors").at(0).at("error").at("relative_rmse_95").as_array().size() == 2);
    CHECK(run_tool("gguf-diff", {f16, f16, "--sample", "8"}).text() ==
          "no difference found: 57 equal tensors\n"
          "sample: 8 runs of up to 2,048 weights a tensor; errors with 95 % confidence\n");
    CHECK(run_tool("gguf-diff", {f16, f16, "--sample", "8", "--brief"}).text() ==
          run_tool("gguf-diff", {f16, f16, "--sample", "8"}).text());
}

TEST_CASE("gguf-diff BASE A B says which is nearer") {
    const TemporaryFolder folder;
    const std::string q4 = requantized(folder, "Q4_0"), q6 = requantized(folder, "Q6_K");
    const CommandResult result = run_tool("gguf-diff", {f16, q4, q6}, 100);
    CHECK(result.exit_code == 1);
    CHECK(result.text().find("B is nearer to the base: error ") != std::string::npos);
    const CommandResult other = run_tool("gguf-diff", {f16, q6, q4}, 100);
    CHECK(other.text().find("A is nearer to the base: error ") != std::string::npos);
    CHECK(run_tool("gguf-diff", {f16, f16, f16}).exit_code == 0);
    CHECK(run_tool("gguf-diff", {f16, q4, q4}).text().find("A and B are as far from the base") != std::string::npos);

    const json::object duel = json_of(run_tool("gguf-diff", {f16, q4, q6, "--imatrix", matrix, "--json"}));
    const json::object alone = json_of(run_tool("gguf-diff", {f16, q6, "--imatrix", matrix, "--json"}));
    CHECK(duel.at("nearer") == "b");
    CHECK(duel.at("decided_by") == "weighted_relative_rmse");
    std::size_t checked = 0;
    for (const json::value& tensor : duel.at("tensors").as_array()) {
        for (const json::value& one : alone.at("tensors").as_array()) {
            if (one.at("name") != tensor.at("name")) continue;
            CHECK(one.at("error") == tensor.at("b").at("error"));
            ++checked;
        }
    }
    CHECK(checked == 44);
    CHECK(duel.at("tensors").as_array().size() == 57);
}

TEST_CASE("gguf-diff never lets control characters through") {
    const TemporaryFolder folder;
    const std::string evil = "\x1b[31m\x07\xc2\x9b";
    SmallModel a, b;
    a.set("k", evil).set("long", evil + std::string(50, 'a') + "\nb").tensor("blk.0." + evil, TensorType::F32, {8});
    b.set("k", evil + "b")
        .set("long", evil + std::string(50, 'c') + evil + "\nb")
        .tensor("blk.0." + evil, TensorType::F32, {8}, 1);
    a.set("list", Value::of_strings(std::vector<std::string>{evil, "x"}));
    b.set("list", Value::of_strings(std::vector<std::string>{evil, evil}));
    a.set("tokenizer.ggml.tokens", Value::of_strings(std::vector<std::string>{evil}));
    b.set("tokenizer.ggml.tokens", Value::of_strings(std::vector<std::string>{"y", evil + "2"}));
    a.tensor("gone" + evil, TensorType::F32, {3});
    b.tensor("come" + evil, TensorType::F32, {3}, 9);
    const std::string path_a = a.save(folder / "a.gguf"), path_b = b.save(folder / "b.gguf");
    for (const auto& arguments : std::vector<std::vector<std::string>>{{path_a, path_b},
                                                                       {path_a, path_b, "--all"},
                                                                       {path_a, path_b, "--json"},
                                                                       {path_a, path_b, path_b},
                                                                       {path_a, path_b, "--fail-above", "max=0"}}) {
        const CommandResult result = run_tool("gguf-diff", arguments);
        CHECK(result.exit_code == 1);
        for (const std::string& text : {result.text(), result.err}) {
            CHECK(text.find('\x1b') == text.npos);
            CHECK(text.find('\x07') == text.npos);
            CHECK(text.find("\xc2\x9b") == text.npos);
        }
    }
}

TEST_CASE("gguf-diff --blocks spells out what differs") {
    const TemporaryFolder folder;
    SmallModel a = small_llama(), b = small_llama();
    b.at("blk.1.attn_v.weight").bytes[34 * 7 + 2 + 9] ^= std::byte{1};
    const std::string path_a = a.save(folder / "a.gguf"), path_b = b.save(folder / "b.gguf");
    const std::string text = run_tool("gguf-diff", {path_a, path_b, "--blocks"}).text();
    CHECK(text.find("~ blk.1.attn_v.weight, block 7\n") != text.npos);
    CHECK(text.find("1 of 32  [9] ") != text.npos);
    CHECK(run_tool("gguf-diff", {path_a, path_b}).text().find("block 7") == std::string::npos);
    const json::object document = json_of(run_tool("gguf-diff", {path_a, path_b, "--blocks", "--json"}));
    CHECK(document.at("blocks").at(0).at("block") == 7);
    CHECK(document.at("blocks").at(0).at("tensor") == "blk.1.attn_v.weight");
}
