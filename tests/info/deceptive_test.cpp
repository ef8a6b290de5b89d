// Text that drives a terminal, turns its direction, or hides on it: in every place of a file, on every screen.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <boost/json.hpp>

#include "core/text.hpp"
#include "info/screens.hpp"
#include "support/browser.hpp"
#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

struct Sample {
    std::string text;
    std::string shown;
};

const std::vector<Sample>& samples() {
    static const std::vector<Sample> all{
        {"\x1b[2J", "\\x1b[2J"},
        {"\x7f", "\\x7f"},
        {"\xc2\x9b"
         "31m",
         "\\xc2\\x9b31m"},
        {"\xff\xfe", "\\xff\\xfe"},
        {"\xe2\x80", "\\xe2\\x80"},
        {"\xed\xa0\x80", "\\xed\\xa0\\x80"},  // half of a surrogate pair
        {"\u00ad", "\\u00ad"},
        {"\u061c", "\\u061c"},
        {"\u200b", "\\u200b"},
        {"\u200c", "\\u200c"},
        {"\u200d", "\\u200d"},
        {"\u200e", "\\u200e"},
        {"\u200f", "\\u200f"},
        {"\u2028", "\\u2028"},
        {"\u2029", "\\u2029"},
        {"\u202a", "\\u202a"},
        {"\u202e", "\\u202e"},
        {"\u2060", "\\u2060"},
        {"\u2066", "\\u2066"},
        {"\u2069", "\\u2069"},
        {"\ufeff", "\\ufeff"},
        {"\U000e0041", "\\U000e0041"},
    };
    return all;
}

// One of them in every place that a file has for text, whether or not that is valid.
Bytes model_with(const std::string& evil) {
    Bytes file(little_v3, 3, 9);
    for (const auto& [key, value] : {std::pair<std::string, std::string>{"general.architecture", "llama" + evil},
                                     {"general.name", "N" + evil},
                                     {"general.license", evil},
                                     {"k." + evil + ".k", "V" + evil + "v"},
                                     {"tokenizer.ggml.model", "m" + evil},
                                     {"tokenizer.ggml.pre", evil},
                                     {"tokenizer.chat_template", "line\n" + evil + "end"}})
        file.entry(key, std::string_view(value));
    file.entry("tokenizer.ggml." + evil + "_token_id", std::uint32_t{0});
    file.key("tokenizer.ggml.tokens", ValueType::array);
    file.array(ValueType::string, 2);
    file.string("T" + evil).string("b");
    file.tensor({.name = "blk.0." + evil + ".weight", .ne = {8}});
    for (const std::uint64_t offset : {32u, 64u})
        file.tensor({.name = "x" + evil + ".blk.1.a", .ne = {8}, .offset = offset});
    return file.pad().fill(96);
}

}  // namespace

TEST_CASE("what deceives is escaped, everything else is left as it is") {
    for (const auto& [text, shown] : samples()) {
        CHECK(printable("a" + text + "b") == "a" + shown + "b");
        CHECK(printable_lines("a\n" + text) == "a\n" + shown + "\n");
    }
    for (const std::string_view plain : {"é", "▁the", "日本語", "שלום", "👍", "e\u0301", "\u00a0", "\U0010ffff"})
        CHECK(printable(plain) == plain);
}

TEST_CASE("a hostile text in names, keys, values, elements and the template is visible on every screen") {
    const TemporaryFolder folder;
    const std::vector<std::vector<std::string>> views{
        {},
        {"--metadata", "--tensors", "--long", "--layers", "--types", "--tokenizer", "--header-hex", "--check"},
        {"--markdown"},
        {"--markdown", "--metadata", "--tensors", "--layers", "--tokenizer", "--template", "--check"},
        {"--stats"},
        {"--hash"},
        {"--fit", "1GiB"},
        {"--get", "no\u202e.such"},
        {"--json"}};
    for (const auto& [evil, visible] : samples()) {
        const std::string path = folder / "m.gguf";
        write_file(path, model_with(evil));
        for (std::vector<std::string> flags : views) {
            flags.insert(flags.begin(), path);
            CAPTURE(visible);
            CAPTURE(flags.size() > 1 ? flags[1] : "summary");
            const CommandResult result = run_tool("gguf-info", flags, 0);
            CHECK((result.exit_code == 0 || result.exit_code == 1));
            CHECK(is_calm(result.text()));
            CHECK(is_calm(result.err));
        }
        const std::string metadata = run_tool("gguf-info", {path, "--metadata"}, 0).text();
        CHECK(metadata.find("k." + visible + ".k") != metadata.npos);
        CHECK(metadata.find("V" + visible + "v") != metadata.npos);
        CHECK(metadata.find("[\"T" + visible + "\", \"b\"]") != metadata.npos);
    }
}

TEST_CASE(
    "--json of such text is the text itself to whoever reads JSON, and --get and --template give a pipe its bytes") {
    const TemporaryFolder folder;
    for (const auto& [evil, visible] : samples()) {
        CAPTURE(visible);
        const std::string path = folder / "m.gguf";
        write_file(path, model_with(evil));
        CHECK(run_tool("gguf-info", {path, "--get", "general.name"}).text() == "N" + evil + "\n");
        CHECK(run_tool("gguf-info", {path, "--template"}).text() == "line\n" + evil + "end\n");
        if (!is_utf8(evil)) continue;
        const auto json = json_of(run_tool("gguf-info", {path, "--json"}));
        CHECK(text_of(json.at("metadata").at(1).at("value")) == "N" + evil);
        CHECK(text_of(json.at("tensors").at(0).at("name")) == "blk.0." + evil + ".weight");
    }
}

TEST_CASE("on a terminal --get and --template show such text escaped, as messages about files do") {
    if (run_shell("command -v script > /dev/null && script -qec true /dev/null").exit_code != 0) return;
    const TemporaryFolder folder;
    const std::string path = folder / "m.gguf";
    write_file(path, model_with("\u202e"));
    const auto on_terminal = [&](const std::string& flags) {
        return run_shell("script -qec '\"$BIN/gguf-info\" " + path + " " + flags + "' /dev/null < /dev/null").text();
    };
    CHECK(on_terminal("--template") == "line\r\n\\u202eend\r\n");
    CHECK(on_terminal("--get general.name") == "N\\u202e\r\n");
    CHECK(on_terminal("--get tokenizer.ggml.tokens[0]") == "T\\u202e\r\n");
    const CommandResult missing = run_tool("gguf-info", {folder / "a\u202e\x1b[2J.gguf"});
    CHECK(missing.exit_code == 1);
    CHECK(missing.err.find("a\\u202e\\x1b[2J.gguf") != std::string::npos);
    CHECK(is_calm(missing.err));
}

TEST_CASE("--html: no such text is in the page, nor in what a browser makes of it") {
    const TemporaryFolder folder;
    std::string all;
    for (const Sample& sample : samples()) all += sample.text + "|";
    const std::string model = folder / "m\u202e.gguf", page = folder / "m.html";
    write_file(model, model_with(all));
    REQUIRE(run_tool("gguf-info", {model, "--html", page}).exit_code == 0);
    CHECK(is_calm(read_text(page)));
    if (!have_browser()) return;
    const LoadedPage loaded = load_page(page);
    CHECK(loaded.console == "");
    CHECK(is_calm(loaded.dom));
    for (const char* visible : {"\\u202e|", "\\x1b[2J|", "\\ufeff|", "<title>m\\u202e.gguf</title>"})
        CHECK(loaded.dom.find(visible) != loaded.dom.npos);
}
