// gguf-diff as a program.
#include <doctest/doctest.h>

#include "support/small_model.hpp"
#include "support/temporary.hpp"
#include "tools/tool.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

// Two models with every kind of difference.
std::pair<SmallModel, SmallModel> different_models() {
    SmallModel a = small_llama(), b = small_llama();
    a.set("general.author", "me");
    b.set("general.tags", Value::of_strings(std::vector<std::string>{"chat", "\x1b[2Jsmall"}));
    b.set("general.file_type", 7u);
    b.set("llama.context_length", Value::of_unsigned(ValueType::uint64, 8192));
    b.set("tokenizer.chat_template",
          "{% for message in messages %}{{ message['content'] }}\n{% endif %}{{ eos_token }}{{ bos_token }}");
    b.set("tokenizer.ggml.tokens", Value::of_strings(std::vector<std::string>{"<s>", "</s>", "the", "'", "\n",
                                                                              "\xc4\xa0of", "a", "b", "c", "d"}));
    b.remove("blk.0.attn_norm.weight");
    b.tensor("output.weight", TensorType::F16, {256, 10});
    b.remove("blk.0.attn_q.weight");
    b.tensor("blk.0.attn_q.weight", TensorType::Q5_K, {256, 256});
    b.at("blk.1.attn_v.weight").ne = {64, 256};
    b.at("token_embd.weight").bytes.back() ^= std::byte{1};
    return {a, b};
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
~  general.file_type        u32        15 → 7
+  general.tags             str[2]     ["chat", "\x1b[2Jsmall"]
~  llama.context_length     u32 → u64  4096 → 8192
~  tokenizer.chat_template  str        at byte 60: …}\n{% endfor %}{{ eos_tok… → …}\n{% endif %}{{ …
~  tokenizer.ggml.tokens    str[10]    [3]: "\"" → "'"

   TENSOR                  TYPE         SHAPE            DIGEST
~  token_embd.weight       Q6_K         256x10           dea0d6aedb9f → b0f41e78e764
-  blk.0.attn_norm.weight  F32          256
~  blk.0.attn_q.weight     Q4_K → Q5_K  256x256
~  blk.1.attn_v.weight     Q8_0         256x64 → 64x256
+  output.weight           F16          256x10

keys: 1 removed, 1 added, 4 changed
tensors: 1 removed, 1 added, 1 retyped, 1 reshaped, 1 with other bytes, 5 equal
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
        R"({"key":"general.file_type","change":"changed","a":{"type":"u32","value":15},"b":{"type":"u32","value":7}})");
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
    CHECK(
        json::serialize(tensors[2]) ==
        R"({"name":"blk.0.attn_q.weight","change":"changed","retyped":true,"reshaped":false,"bytes_differ":false,)"
        R"("a":{"type":"Q4_K","shape":[256,256],"bytes":36864},"b":{"type":"Q5_K","shape":[256,256],"bytes":45056}})");
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
        const json::object document = json_of(run_tool("gguf-diff", {other, plain, "--json"}));
        CHECK(json::serialize(document) == R"({"same":true,"metadata":[],"tensors":[],"tensors_equal":9})");
    }
}

TEST_CASE("gguf-diff exits with 2 where it cannot say") {
    const TemporaryFolder folder;
    const std::string good = small_llama().save(folder / "good.gguf"), bad = folder / "bad.gguf";
    auto bytes = small_llama().file({});
    bytes.resize(bytes.size() / 2);
    write_bytes(bad, bytes);
    for (const auto& arguments : std::vector<std::vector<std::string>>{{good},
                                                                       {good, good, good},
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
