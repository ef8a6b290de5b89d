// gguf-diff on files that are wrong in every way, or right and strange.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cstring>
#include <ggufkit/model.hpp>

#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/seeds.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

// One sentence on standard error, nothing else.
void check_refused(const CommandResult& result, const std::string& file) {
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.text() == "");
    CHECK(result.err.starts_with("gguf-diff: "));
    CHECK(result.err.find(file) != std::string::npos);
    CHECK(std::ranges::count(result.err, '\n') == 1);
}

// What drives a terminal, or turns text around: nothing of it may stand in an output.
const std::string evil = "\x1b[31m\x07\x7f\xc2\x9b\u202e\u2066\u2028\u200f\u061c";

void check_tame(const std::string& text) {
    for (const char* raw : {"\x1b", "\x07", "\x7f", "\xc2\x9b", "\u202e", "\u2066", "\u2028", "\u200f", "\u061c"}) {
        CAPTURE(json::serialize(json::string(raw)));
        CHECK(text.find(raw) == std::string::npos);
    }
}

}  // namespace

TEST_CASE("gguf-diff of a malformed file, on any side, is one sentence and exit code 2") {
    const TemporaryFolder folder;
    const std::string good = small_llama().save(folder / "good.gguf"), bad = folder / "bad.gguf";
    std::size_t refused = 0;
    for (const Seed& seed : seeds()) {
        CAPTURE(seed.name);
        write_file(bad, seed.bytes);
        if (Model::open(bad)) {
            // It can be read: then it can be compared.
            CHECK(run_tool("gguf-diff", {bad, bad}).exit_code == 0);
            CHECK(run_tool("gguf-diff", {bad, good}).exit_code == 1);
            CHECK(run_tool("gguf-diff", {bad, bad, bad, "--brief"}).exit_code == 0);
            continue;
        }
        ++refused;
        check_refused(run_tool("gguf-diff", {bad, good}), bad);
        check_refused(run_tool("gguf-diff", {good, bad, "--json"}), bad);
        check_refused(run_tool("gguf-diff", {good, good, bad, "--brief"}), bad);
    }
    CHECK(refused > 30);
}

TEST_CASE("gguf-diff lets nothing through that drives a terminal or turns text around") {
    const TemporaryFolder folder;
    SmallModel a, b;
    const std::string key = "k\x1b[31m\x07\x7f";  // keys are ASCII, or the file is refused
    a.set(key, evil).set("long", evil + std::string(50, 'a')).set("gone" + key, 1u);
    b.set(key, evil + "b").set("long", evil + std::string(50, 'c'));
    for (SmallModel* model : {&a, &b}) {
        model->tensor("blk.0." + evil, TensorType::F32, {8}, model == &a ? 0 : 1);
        model->tensor("blk.1." + evil, TensorType::F32, {8}, model == &a ? 0 : 1);
    }
    a.tensor("gone" + evil, TensorType::F32, {3});
    b.tensor("come" + evil, TensorType::F32, {3}, 9);
    b.set("list", Value::of_strings(std::vector<std::string>{evil}));
    const std::string path_a = a.save(folder / "a.gguf"), path_b = b.save(folder / "b.gguf"), page = folder / "p.html";
    for (const auto& arguments :
         std::vector<std::vector<std::string>>{{path_a, path_b, "--all", "--blocks"},
                                               {path_a, path_b, "--json"},
                                               {path_a, path_b, path_a},
                                               {path_a, path_b, path_a, "--json"},
                                               {path_a, path_b, "--fail-above", "max=0"},
                                               {path_a, path_b, path_b, "--fail-above", "max=0"}}) {
        auto with_page = arguments;
        with_page.insert(with_page.end(), {"--html", page, "--force"});
        const CommandResult result = run_tool("gguf-diff", with_page);
        CHECK(result.exit_code == 1);
        check_tame(result.text());
        check_tame(result.err);
        check_tame(read_text(page));
    }
    // In JSON nothing is lost by it.
    const json::object document = json_of(run_tool("gguf-diff", {path_a, path_b, "--json"}));
    CHECK(text_of(document.at("metadata").at(1).at("key")) == key);
    CHECK(text_of(document.at("metadata").at(1).at("a").at("value")) == evil);
}

TEST_CASE("gguf-diff of models that are strange but well-formed") {
    const TemporaryFolder folder;
    SmallModel a, b;
    const auto empty = Value::of_strings({});
    a.set("empty", empty).set("filled", empty);
    b.set("empty", empty).set("filled", Value::of_strings(std::vector<std::string>{"x"}));
    for (SmallModel* model : {&a, &b}) {
        model->tensor("none", TensorType::F32, {0, 4}).tensor("none.Q8_0", TensorType::Q8_0, {32, 0, 5});
        model->tensor("four", TensorType::F16, {32, 3, 2, 2});
    }
    b.at("four").bytes[2 * (32 * 3 * 2 + 32 + 5)] ^= std::byte{1};  // at 5,1,0,1
    // Two of one content, under new names in B.
    const auto twin = [](std::string_view name) {
        return SmallModel::Tensor{std::string(name), TensorType::F32, {4}, std::vector<std::byte>(16, std::byte{0x3f})};
    };
    a.tensors.push_back(twin("x.1"));
    a.tensors.push_back(twin("x.2"));
    b.tensors.push_back(twin("y.1"));
    b.tensors.push_back(twin("y.2"));
    b.tensors.push_back(twin("y.3"));
    const std::string path_a = a.save(folder / "a.gguf"), path_b = b.save(folder / "b.gguf");

    const CommandResult result = run_tool("gguf-diff", {path_a, path_b}, 160);
    CHECK(result.exit_code == 1);
    const std::string text = result.text();
    CHECK(text.find(">  x.1 → y.1") != text.npos);
    CHECK(text.find(">  x.2 → y.2") != text.npos);
    CHECK(text.find("+  y.3") != text.npos);
    CHECK(text.find("5,1,0,1") != text.npos);
    CHECK(text.find("tensors: 1 added, 2 renamed, 1 with other bytes, 2 equal\n") != text.npos);
    CHECK(text.find("~  filled") != text.npos);
    const json::object document = json_of(run_tool("gguf-diff", {path_a, path_b, "--json"}));
    CHECK(document.at("tensors").at(0).at("error").at("max_at") == json::array{5, 1, 0, 1});
    CHECK(run_tool("gguf-diff", {path_a, path_a, path_a}).exit_code == 0);
    CHECK(run_tool("gguf-diff", {path_a, path_b, "--sample", "2"}).exit_code == 1);
}

TEST_CASE("gguf-diff with the importance matrix of another model weighs nothing") {
    const TemporaryFolder folder;
    SmallModel a, b;
    a.tensor("blk.1.ffn_down.weight", TensorType::Q4_K, {512, 256});  // it has another size there
    b = a;
    b.tensors.front().bytes[5] ^= std::byte{1};
    const std::string path_a = a.save(folder / "a.gguf"), path_b = b.save(folder / "b.gguf");
    const std::string other = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";
    const CommandResult result = run_tool("gguf-diff", {path_a, path_b, "--imatrix", other});
    CHECK(result.exit_code == 1);
    CHECK(result.text().find("weighted") == std::string::npos);
    CHECK(result.err == "gguf-diff: " + other + ": fits no tensor that differs: nothing is weighed by it\n");
    CHECK(run_tool("gguf-diff", {path_a, path_b, path_a, "--imatrix", other}).err == result.err);
    CHECK(run_tool("gguf-diff", {path_a, path_b, "--imatrix", other, "--fail-above", "weighted_relative_rmse=1"})
              .exit_code == 2);
    check_refused(run_tool("gguf-diff", {path_a, path_b, "--imatrix", path_a}), path_a);
}

TEST_CASE("gguf-diff of thousands of tensors") {
    const TemporaryFolder folder;
    SmallModel a, b;
    for (int i = 0; i < 5000; ++i) {
        const std::string name = "blk." + std::to_string(i) + ".w";
        a.tensor(name, TensorType::F32, {4});
        b.tensor(i % 2 == 0 ? name : "other." + std::to_string(i), TensorType::F32, {4}, i % 4 == 0 ? 1 : 0);
        if (i % 2 == 1) b.tensors.back().bytes = a.tensors.back().bytes;
    }
    const CommandResult result =
        run_tool("gguf-diff", {a.save(folder / "a.gguf").string(), b.save(folder / "b.gguf").string()});
    CHECK(result.exit_code == 1);
    CHECK(result.text().find("tensors: 2,500 renamed, 1,250 with other bytes, 1,250 equal\n") != std::string::npos);
    CHECK(std::ranges::count(result.text(), '\n') < 200);
}

TEST_CASE("gguf-diff of long values takes no multiple of them as memory") {
#ifdef GGUFKIT_SANITIZED
    const std::string limit;  // their own memory is far beyond it
#else
    const std::string limit = "ulimit -d 49152; ";
#endif
    const TemporaryFolder folder;
    // A text of control characters, six bytes each in JSON; one of many lines; as many bools.
    const auto model = [&](const char* name, std::uint8_t last) {
        Bytes file(little_v3, 0, 3);
        constexpr std::uint64_t size = 6 << 20;
        file.key("long", ValueType::string);
        file.length(size).fill(size - 1, 1).u8(last);
        file.key("lines", ValueType::string);
        file.length(size).fill(size - 1, '\n').u8(last);
        file.key("bools", ValueType::array);
        file.array(ValueType::boolean, size);
        file.fill(size - 1).u8(last % 2);
        write_file(folder / name, file);
        return std::string(folder / name);
    };
    const std::string a = model("a", 'a'), b = model("b", 'b');
    const auto run = [&](const std::string& more) {
        return run_shell(limit + "exec \"$BIN/gguf-diff\" --threads 1 '" + a + "' '" + b + "' " + more);
    };
    const CommandResult text = run("");
    CHECK_MESSAGE(text.exit_code == 1, text.err);
    CHECK(text.text().find("6,291,456 → 6,291,456 bytes, too many lines to show\n") != std::string::npos);
    CHECK(text.text().find("[6291455]: true → false\n") != std::string::npos);
    CHECK(text.text().find(" 1 line out, 1 line in: see below\n") != std::string::npos);
    const CommandResult document = run("--json | tail -c 100");
    CHECK_MESSAGE(document.err == "", document.err);
    CHECK(document.text().ends_with("\"layers\":[]}\n"));
    CHECK(run("'" + a + "' --brief").exit_code == 0);
}

TEST_CASE("gguf-diff --json has long texts to the letter") {
    const TemporaryFolder folder;
    std::string text = "a";
    while (text.size() < 300'000) text += "\u00e9\U0001f600\"\\\n\u202e\x7f\u20ac";  // of 1 to 4 bytes
    SmallModel a, b;
    a.set("text", text);
    b.set("text", text.substr(1));
    const json::object document =
        json_of(run_tool("gguf-diff", {a.save(folder / "a").string(), b.save(folder / "b").string(), "--json"}));
    CHECK((text_of(document.at("metadata").at(0).at("a").at("value")) == text));
    CHECK((text_of(document.at("metadata").at(0).at("b").at("value")) == text.substr(1)));
}
