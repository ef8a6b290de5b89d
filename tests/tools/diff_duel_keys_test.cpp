// gguf-diff BASE A B and metadata: what is told of keys, and what it changes.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <string>
#include <vector>

#include "support/browser.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

// One base, and two of its weights with other keys.
struct Three {
    Three() {
        SmallModel model;
        model.tensor("blk.0.w", TensorType::F32, {8}).set("general.architecture", "llama").set("general.author", "me");
        model.set("general.file_type", 1u).set("llama.context_length", 4096u).set("llama.block_count", 1u);
        model.set("tokenizer.chat_template", std::string(60, 'x')).set("tokenizer.ggml.tokens", strings({"a", "b"}));
        SmallModel of_a = model, of_b = model;
        for (SmallModel* made : {&of_a, &of_b}) {
            made->set("general.quantization_version", 2u).set("quantize.imatrix.file", made == &of_a ? "x" : "y");
            made->set("llama.context_length", 8192u);
        }
        of_a.set("general.file_type", 7u).set("general.author", "you");
        of_b.set("general.file_type", 15u).set("general.architecture", "gemma").set("general.author", "she");
        of_b.set("llama.block_count", Value::of_unsigned(ValueType::uint64, 1));
        of_b.set("tokenizer.chat_template", std::string(60, 'x') + "\n")
            .set("tokenizer.ggml.tokens", strings({"a", "c"}));
        std::erase_if(of_a.metadata, [](const auto& entry) { return entry.first == "tokenizer.chat_template"; });
        base = model.save(folder / "base.gguf");
        a = of_a.save(folder / "a.gguf");
        b = of_b.save(folder / "b.gguf");
    }
    static Value strings(const std::vector<std::string>& texts) { return Value::of_strings(texts); }
    CommandResult diff(const std::vector<std::string>& more, int columns = 80) const {
        std::vector<std::string> arguments{base, a, b};
        arguments.insert(arguments.end(), more.begin(), more.end());
        return run_tool("gguf-diff", arguments, columns);
    }

    TemporaryFolder folder;
    std::string base, a, b;
};

std::string keys_of(const CommandResult& result) {
    const std::string text = result.text();
    const auto begin = text.find("KEY "), end = text.find("\n\n", begin);
    return begin == text.npos ? "" : "\n" + text.substr(begin, end - begin) + "\n";
}

}  // namespace

TEST_CASE(
    "gguf-diff BASE A B shows the keys that are not those of the base, and none that every quantization changes") {
    const Three files;
    CHECK(keys_of(files.diff({})) == R"(
KEY                      BASE      A     B
general.architecture     llama     same  gemma
llama.block_count        1         same  u64: 1
llama.context_length     4096      8192  as A
tokenizer.chat_template  60 bytes  –     61 bytes
tokenizer.ggml.tokens    str[2]    same  another
general.author           me        you   she
)");
    for (const int columns : {40, 60, 200}) {
        CAPTURE(columns);
        CHECK(keys_of(files.diff({}, columns)).find("gemma") != std::string::npos);
    }
    CHECK(keys_of(run_tool("gguf-diff", {files.base, files.base, files.base})) == "");
}

TEST_CASE("gguf-diff BASE A B --brief names keys that are not those of the base, the most telling first") {
    const Three files;
    CHECK(files.diff({"--brief"}).text() ==
          "the same: A and B hold the weights of the base\n"
          "keys of A unlike the base's: llama.context_length, tokenizer.chat_template, general.author\n"
          "keys of B unlike the base's: general.architecture, llama.block_count, llama.context_length and 3 more\n");
}

TEST_CASE("gguf-diff BASE A B takes --ignore and --tolerance, and keys never decide its exit code") {
    const Three files;
    CHECK(files.diff({}).exit_code == 0);
    CHECK(files.diff({"--fail-above", "max=0"}).exit_code == 0);
    const CommandResult some = files.diff({"--brief", "--ignore", "general.*", "--ignore", "llama.*"});
    CHECK(some.exit_code == 0);
    CHECK(
        some.text().ends_with("\nkeys of A unlike the base's: tokenizer.chat_template\n"
                              "keys of B unlike the base's: tokenizer.chat_template, tokenizer.ggml.tokens\n"));
    CHECK(keys_of(files.diff({"--ignore", "*"})) == "");
    CHECK(json_of(files.diff({"--json", "--ignore", "*"})).at("metadata").as_array().empty());
    CHECK(files.diff({"--blocks"}).exit_code == 2);

    SmallModel close;
    close.set("x", Value::of_float32(1.0f));
    const std::string one = close.save(files.folder / "one.gguf");
    const std::string two = close.set("x", Value::of_float32(1.001f)).save(files.folder / "two.gguf");
    const auto keys = [&](const char* tolerance) {
        return keys_of(run_tool("gguf-diff", {one, one, two, "--tolerance", tolerance}));
    };
    CHECK(keys("0") == "\nKEY  BASE  A     B\nx    1     same  1.001\n");
    CHECK(keys("0.01") == "");
}

TEST_CASE("gguf-diff BASE A B shows fifteen keys, --all every one") {
    const TemporaryFolder folder;
    SmallModel model;
    const std::string base = model.save(folder / "base.gguf");
    for (int i = 0; i < 20; ++i) model.set("general.tag." + std::to_string(100 + i), "x");
    const std::string other = model.set("zzz", 1u).save(folder / "other.gguf");
    const std::string few = keys_of(run_tool("gguf-diff", {base, base, other}));
    CHECK(few.starts_with("\nKEY              BASE  A     B\nzzz              –     same  1\ngeneral.tag.100  "));
    CHECK(few.find("   … and 6 keys more: --all shows them\n") != few.npos);
    CHECK(std::ranges::count(few, '\n') == 18);
    const std::string all = keys_of(run_tool("gguf-diff", {base, base, other, "--all"}));
    CHECK(all.find("general.tag.119") != all.npos);
}

TEST_CASE("gguf-diff BASE A B --json has the values of keys that are not those of the base") {
    const Three files;
    const json::object document = json_of(files.diff({"--json"}));
    const auto key = [&](std::string_view name) {
        for (const json::value& entry : document.at("metadata").as_array()) {
            if (text_of(entry.at("key")) == name) return json::serialize(entry);
        }
        return std::string();
    };
    CHECK(document.at("metadata").as_array().size() == 9);
    CHECK(key("general.architecture") ==
          R"({"key":"general.architecture","about_quantization":false,)"
          R"("base":{"type":"str","value":"llama"},"b":{"type":"str","value":"gemma"}})");
    CHECK(key("llama.context_length") ==
          R"({"key":"llama.context_length","about_quantization":false,"base":{"type":"u32","value":4096},)"
          R"("a":{"type":"u32","value":8192},"b":{"type":"u32","value":8192},"alike":true})");
    CHECK(key("general.file_type") ==
          R"({"key":"general.file_type","about_quantization":true,"base":{"type":"u32","value":1,"file_type":"F16"},)"
          R"("a":{"type":"u32","value":7,"file_type":"Q8_0"},"b":{"type":"u32","value":15,"file_type":"Q4_K_M"},)"
          R"("alike":false})");
    CHECK(key("quantize.imatrix.file")
              .starts_with(R"({"key":"quantize.imatrix.file","about_quantization":true,"base":null,)"));
    CHECK(key("tokenizer.chat_template").find(R"("a":null,"b":{)") != std::string::npos);
    CHECK(key("llama.vocab_size") == "");
}

TEST_CASE("gguf-diff BASE A B --html shows the keys that are not those of the base") {
    REQUIRE_BROWSER();
    const Three files;
    REQUIRE(files.diff({"--html", files.folder / "d.html"}).exit_code == 0);
    const LoadedPage page = load_page(files.folder / "d.html");
    CHECK(page.console == "");
    for (const char* part : {"Metadata", "The last are among those", "tokenizer.chat_template", "gemma</td>",
                             ">as A</td>", "15 (Q4_K_M)</td>"}) {
        CAPTURE(part);
        CHECK(page.dom.find(part) != page.dom.npos);
    }
}
