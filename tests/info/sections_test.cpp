// The sections of gguf-info: whole screens at several widths, and what each flag alone brings about.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <boost/json.hpp>
#include <ggufkit/requant/plan.hpp>
#include <sstream>

#include "info/screens.hpp"
#include "support/files.hpp"
#include "support/goldens.hpp"
#include "support/programs.hpp"
#include "support/seeds.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

std::string tool_on(const std::string& file, std::vector<std::string> flags, int columns = 80) {
    flags.insert(flags.begin(), file);
    const CommandResult result = run_tool("gguf-info", flags, columns);
    CHECK(result.exit_code == 0);
    CHECK(result.err == "");
    return result.text();
}

std::vector<std::string> lines_of(const std::string& text) {
    std::vector<std::string> lines;
    std::istringstream in(text);
    for (std::string line; std::getline(in, line);) lines.push_back(line);
    return lines;
}

// The first word of each line but the titles'.
std::vector<std::string> first_words(const std::string& table) {
    std::vector<std::string> words;
    for (const std::string& line : lines_of(table)) words.push_back(line.substr(0, line.find(' ')));
    if (!words.empty()) words.erase(words.begin());
    return words;
}

std::size_t columns_of(std::string_view line) {
    return static_cast<std::size_t>(std::ranges::count_if(line, [](char c) { return (c & 0xc0) != 0x80; }));
}

}  // namespace

TEST_CASE("the screens of a small model are those of golden/, and no wider than asked for") {
    struct View {
        const char* name;
        std::vector<std::string> flags;
        std::vector<int> widths;
    };
    const std::vector<int> widths{60, 80, 120, 160};
    const View views[] = {
        {"summary", {}, widths},
        {"metadata", {"--metadata"}, widths},
        {"tensors", {"--tensors"}, widths},
        {"tensors-long", {"--tensors", "--long", "--sort", "size"}, widths},
        {"layers", {"--layers"}, widths},
        {"types", {"--types"}, widths},
        {"tokenizer", {"--tokenizer"}, widths},
        {"header-hex", {"--header-hex"}, widths},
        {"fit", {"--fit", "8MiB", "--margin", "0"}, widths},
        {"stats", {"--stats"}, widths},
        {"stats-one", {"--stats", "token_embd.weight"}, widths},
        {"markdown", {"--markdown"}, {200}},
        {"markdown-sections", {"--markdown", "--metadata", "--types", "--tokenizer", "--template", "--check"}, {200}}};
    SmallModel model = small_llama();
    model.set("general.license",
              "a licence that is long enough to be cut on a screen of 60 columns: apache-2.0 or mit");
    for (const auto& [name, flags, at] : views) {
        for (const int columns : at) {
            CAPTURE(std::string(name));
            CAPTURE(columns);
            const std::string shown = screen(model, flags, columns);
            CHECK(shown == golden_screen(std::string("tests/info/golden/") + name, columns, shown));
            for (const std::string& line : lines_of(shown))
                CHECK(columns_of(line) <= static_cast<std::size_t>(columns));
        }
    }
}

TEST_CASE("a mixture of experts: how many weights work on a token") {
    const SmallModel model = small_mixture();
    // 64*100 + two routers of 64*4 + half of 4 experts of 64*32 and their biases + a norm + the shared expert + half of 4*64*32.
    constexpr std::uint64_t all = 6400 + 2 * 256 + 8192 + 128 + 64 + 2048 + 8192;
    constexpr std::uint64_t active = 6400 + 2 * 256 + 4096 + 64 + 64 + 2048 + 4096;
    static_assert(all == 25'536 && active == 17'280);
    const std::string summary = screen(model, {}, 80);
    CHECK(summary == golden("tests/info/golden/mixture.txt", summary));
    CHECK(summary.find("  parameters     25.5 K (25,536) in 11 tensors\n") != summary.npos);
    CHECK(summary.find("  active         17.3 K (17,280) for each token: 2 of 4 experts\n") != summary.npos);
    const auto json = boost::json::parse(screen(model, {"--json"}, 80));
    CHECK(json.at("parameters") == all);
    CHECK(json.at("active_parameters") == active);

    // Counts that make no sense say nothing.
    for (const auto& [count, used] : {std::pair(0u, 0u), std::pair(4u, 5u), std::pair(~0u, 2u)}) {
        SmallModel odd = small_mixture();
        odd.set("mix.expert_count", count).set("mix.expert_used_count", used);
        CHECK(screen(odd, {}, 80).find("active") == std::string::npos);
    }
    CHECK(screen(small_llama(), {}, 80).find("active") == std::string::npos);
}

TEST_CASE(
    "--layers: encoder and decoder apart, layers in order of number, what is in none first, and sums that add up") {
    SmallModel model;
    model.set("general.architecture", "t5");
    for (const char* name : {"dec.blk.10.a", "dec.blk.9.a", "enc.blk.0.a", "dec.blk.9.b", "output.weight", "blk.x"})
        model.tensor(name, TensorType::F32, {32});
    const std::string shown = screen(model, {"--layers"}, 80);
    CHECK(first_words(shown) == std::vector<std::string>{"blk", "output", "dec.9", "dec.10", "enc.0", "all"});
    CHECK(shown.find("\ndec.9         2       64    256  32.000  ") != shown.npos);
    CHECK(shown.find("\nall           6      192    768  32.000\n") != shown.npos);
}

TEST_CASE("--types: the largest first, one that nobody knows too") {
    const TemporaryFolder folder;
    Bytes file(little_v3, 3, 0);
    file.tensor({.name = "a", .ne = {64}});
    file.tensor({.name = "b", .ne = {64}, .type = TensorType::Q8_0, .offset = 256});
    file.tensor({.name = "c", .ne = {32}, .type = static_cast<TensorType>(77), .offset = 352});
    write_file(folder / "m.gguf", file.pad().fill(352 + 128));
    CHECK(tool_on(folder / "m.gguf", {"--types"}) == R"(TYPE         TENSORS  WEIGHTS  BYTES     BPW
F32                1       64    256  32.000  ████████████████████████
Q8_0               1       64     68   8.500  ██████
unknown(77)        1       32      0
all                3      160    324  20.250
)");
}

TEST_CASE("--tokenizer: tokens by kind, special tokens, what does not fit together") {
    const std::string shown = screen(small_tokenizer(), {"--tokenizer"}, 80);
    CHECK(shown == golden("tests/info/golden/tokenizer-inconsistent.txt", shown));
    for (const char* part : {"\n  of no kind", "\n  user-defined  1\n", "\nconsistent      no\n", "no such token",
                             "tokenizer.ggml.padding_token_id"}) {
        CAPTURE(part);
        CHECK(shown.find(part) != shown.npos);
    }
    CHECK(is_calm(shown));
    const std::string sound = screen(small_llama(), {"--tokenizer"}, 80);
    CHECK(sound.find("consistent     yes\n") != sound.npos);
    CHECK(sound.find("no such token") == sound.npos);
}

TEST_CASE("what a file does not have is said, exits with 1, and the sections beside it are shown") {
    const TemporaryFolder folder;
    const std::string path = SmallModel().set("general.architecture", "llama").save(folder / "m.gguf");
    const CommandResult result = run_tool("gguf-info", {path, "--template", "--tokenizer", "--metadata"});
    CHECK(result.exit_code == 1);
    CHECK(result.err == "gguf-info: " + path + ": has no tokenizer\ngguf-info: " + path + ": has no chat template\n");
    CHECK(result.text().starts_with("KEY                   TYPE  VALUE\ngeneral.architecture  str   llama\n"));
}

TEST_CASE("--sort: orders of tensors and keys") {
    SmallModel model;
    model.set("b.text", "long enough").set("a.number", 1u).set("c.text", "x");
    model.tensor("b", TensorType::Q8_0, {32}).tensor("c", TensorType::F32, {64}).tensor("a", TensorType::F32, {8});
    using Words = std::vector<std::string>;
    const auto tensors = [&](const char* order) {
        return first_words(screen(model, {"--tensors", "--sort", order}, 0));
    };
    CHECK(tensors("file") == Words{"b", "c", "a"});
    CHECK(tensors("name") == Words{"a", "b", "c"});
    CHECK(tensors("size") == Words{"c", "b", "a"});
    CHECK(tensors("type") == Words{"c", "a", "b"});
    const auto keys = [&](const char* order) { return first_words(screen(model, {"--metadata", "--sort", order}, 0)); };
    CHECK(keys("file") == Words{"b.text", "a.number", "c.text"});
    CHECK(keys("offset") == keys("file"));
    CHECK(keys("name") == Words{"a.number", "b.text", "c.text"});
    CHECK(keys("size") == Words{"b.text", "c.text", "a.number"});
    CHECK(keys("type") == Words{"b.text", "c.text", "a.number"});
    CHECK(run_tool("gguf-info", {"m.gguf", "--sort", "colour"}).exit_code == 2);

    // Infos in another order than their data.
    const TemporaryFolder folder;
    Bytes file(little_v3, 2, 0);
    file.tensor({.name = "late", .ne = {8}, .offset = 32});
    file.tensor({.name = "early", .ne = {8}, .offset = 0});
    write_file(folder / "m.gguf", file.pad().fill(64));
    CHECK(first_words(tool_on(folder / "m.gguf", {"--tensors", "--sort=offset"})) == Words{"early", "late"});
    CHECK(first_words(tool_on(folder / "m.gguf", {"--tensors"})) == Words{"late", "early"});
}

TEST_CASE("patterns of the shell choose keys and tensors, wherever FILE stands") {
    const TemporaryFolder folder;
    const std::string path = small_llama().save(folder / "m.gguf");
    const std::vector<std::string> values{"blk.0.attn_v.weight", "blk.1.attn_v.weight"};
    CHECK(first_words(tool_on(path, {"--tensors", "blk.?.attn_v*"})) == values);
    CHECK(first_words(tool_on(path, {"--metadata=*head_count*"})) ==
          std::vector<std::string>{"llama.attention.head_count", "llama.attention.head_count_kv"});
    for (const auto& [section, what] : {std::pair("--tensors", "tensor"), std::pair("--metadata", "key")}) {
        const CommandResult nothing = run_tool("gguf-info", {path, section, "noth?ng"});
        CHECK(nothing.exit_code == 1);
        CHECK(nothing.text() == "");
        CHECK(nothing.err == fmt::format("gguf-info: {}: 'noth?ng' fits no {}\n", path, what));
    }
    const CommandResult before = run_tool("gguf-info", {"--tensors", path});
    CHECK(before.exit_code == 0);
    CHECK(first_words(before.text()).size() == 9);
    CHECK(run_tool("gguf-info", {"--tensors"}).exit_code == 2);
}

TEST_CASE("--get prints values as they are") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    model.set("odd[1]", "a key with brackets").set("control", "\x1b[31m").set("lines", "one\ntwo\n").set("empty", "");
    const std::string path = model.save(folder / "m.gguf");
    const auto get = [&](const char* expression) { return tool_on(path, {"--get", expression}, 0); };
    CHECK(get("general.name") == "Small Llama\n");
    CHECK(get("llama.context_length") == "4096\n");
    CHECK(get("llama.attention.layer_norm_rms_epsilon") == "1e-05\n");
    CHECK(get("tokenizer.ggml.add_bos_token") == "true\n");
    CHECK(get("tokenizer.ggml.tokens[2]") == "the\n");
    CHECK(get("tokenizer.ggml.tokens[1:4]") == "</s>\nthe\n\"\n");
    CHECK(get("tokenizer.ggml.tokens[8:]") == "c\nd\n");
    CHECK(get("tokenizer.ggml.tokens[:1]") == "<s>\n");
    CHECK(get("tokenizer.ggml.tokens[3:3]") == "");
    CHECK(get("tokenizer.ggml.tokens[:]") == get("tokenizer.ggml.tokens"));
    CHECK(get("odd[1]") == "a key with brackets\n");
    CHECK(get("control") == "\x1b[31m\n");  // a pipe gets the bytes
    CHECK(get("lines") == "one\ntwo\n");
    CHECK(get("empty") == "\n");

    const auto json = [&](const char* expression) { return tool_on(path, {"--get", expression, "--json"}, 0); };
    CHECK(json("general.name") == "\"Small Llama\"\n");
    CHECK(json("llama.attention.layer_norm_rms_epsilon") == "1e-05\n");
    CHECK(json("tokenizer.ggml.tokens[2]") == "\"the\"\n");
    CHECK(json("tokenizer.ggml.tokens[2:4]") == "[\"the\",\"\\\"\"]\n");
    CHECK(json("tokenizer.ggml.tokens[3:3]") == "[]\n");
    CHECK(json("tokenizer.ggml.tokens[:]") == json("tokenizer.ggml.tokens"));

    const auto refused = [&](const char* expression, const std::string& because) {
        const CommandResult result = run_tool("gguf-info", {path, "--get", expression});
        CHECK(result.exit_code == 1);
        CHECK(result.text() == "");
        CHECK(result.err == "gguf-info: " + path + ": key '" + expression + "': " + because + "\n");
    };
    for (const char* other : {"--tensors", "--layers", "--check", "--markdown", "--check-data", "--html=x", "--fit=1G"})
        CHECK(run_tool("gguf-info", {path, "--get", "general.name", other}).exit_code == 2);
    refused("none", "is not in this file");
    refused("general.name[0]", "is no array");
    refused("tokenizer.ggml.tokens[10]", "has 10 elements");
    refused("tokenizer.ggml.tokens[4:2]", "has 10 elements");
    refused("tokenizer.ggml.tokens[18446744073709551615]", "has 10 elements");
    refused("tokenizer.ggml.tokens[x]", "is not in this file");
    refused("tokenizer.ggml.tokens[1:x]", "is not in this file");
}

TEST_CASE("--get and --template on a terminal: nothing but text reaches it") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    model.set("tokenizer.chat_template", "one\n\x1b[2Jtwo\x7f");
    const std::string path = model.save(folder / "m.gguf");
    if (run_shell("command -v script > /dev/null && script -qec true /dev/null").exit_code != 0) return;
    for (const char* flags : {"--template", "--get tokenizer.chat_template"}) {
        const CommandResult result =
            run_shell("script -qec '\"$BIN/gguf-info\" " + path + " " + flags + "' /dev/null < /dev/null");
        CHECK(result.text() == "one\r\n\\x1b[2Jtwo\\x7f\r\n");  // the terminal makes line ends of two bytes
    }
}

TEST_CASE("--template prints the text of the file, byte by byte") {
    CHECK(screen(small_llama(), {"--template"}, 80) ==
          "{% for message in messages %}{{ message['content'] }}\n{% endfor %}{{ eos_token }}\n");
}

TEST_CASE("--header-hex: every byte of the header, once and in order") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    const std::string path = model.save(folder / "m.gguf");
    const auto bytes = model.bytes();
    const auto file = Model::open(path);
    REQUIRE(file);
    std::string hidden;
    std::size_t at = 0;
    for (const std::string& line : lines_of(tool_on(path, {"--header-hex"}, 0))) {
        if (line.empty()) continue;
        if (line.starts_with("          … ")) {  // of long fields
            at += std::stoull(line.substr(14));
            continue;
        }
        CHECK(std::stoull(line.substr(0, 8), nullptr, 16) == at);
        for (std::size_t i = 0; i < 16 && line.size() > 10 + 3 * i && line[10 + 3 * i] != ' '; ++i, ++at) {
            CHECK(std::stoul(line.substr(10 + 3 * i, 2), nullptr, 16) == std::to_integer<unsigned>(bytes.at(at)));
        }
    }
    CHECK(at == file->header().data_offset());
}

TEST_CASE("--list-types: every type and file type that the program knows") {
    const CommandResult result = run_tool("gguf-info", {"--list-types"}, 0);
    CHECK(result.exit_code == 0);
    const std::string text = result.text();
    const std::vector<std::string> lines = lines_of(text);
    const auto has_line = [&](std::string_view id, std::string_view name) {
        return std::ranges::any_of(lines, [&](const std::string& line) {
            std::istringstream words(line);
            std::string first, second;
            words >> first >> second;
            return first == id && second == name;
        });
    };
    for (const FormatInfo& format : formats()) CHECK(has_line(std::to_string(format.id), format.name));
    for (const FileType& type : file_types()) CHECK(has_line(std::to_string(type.id), type.name));
    CHECK(lines.size() == formats().size() + file_types().size() + 3);
    CHECK(text.find(" 14  Q6_K           6.5625    256    210  weights           read and made\n") != text.npos);
}

TEST_CASE("a split model: --header-hex and --layers show all shards") {
    const TemporaryFolder folder;
    const std::string path = small_llama().save_split(folder / "m", 3);
    const std::string hex = tool_on(path, {"--header-hex"});
    for (const char* shard : {"m-00001-of-00003.gguf\n00000000 ", "m-00003-of-00003.gguf\n00000000 "})
        CHECK(hex.find(shard) != hex.npos);
    const std::string layers = tool_on(path, {"--layers"});
    CHECK(layers.find("9  429,056  260,148 ") != layers.npos);
}

TEST_CASE("whatever a file holds, no section lets it speak to the terminal") {
    const TemporaryFolder folder;
    const std::string path = folder / "seed.gguf";
    const std::vector<std::vector<std::string>> views{
        {"--metadata", "--tensors", "--long", "--sort=offset", "--layers", "--types"},
        {"--tokenizer", "--header-hex", "--metadata", "--sort=size"},
        {"--markdown", "--metadata", "--tensors", "--layers", "--tokenizer", "--template", "--check"},
        {"--markdown", "--strict"}};
    for (const Seed& seed : seeds()) {
        write_file(path, seed.bytes);
        for (std::vector<std::string> flags : views) {
            flags.insert(flags.begin(), path);
            const CommandResult result = run_tool("gguf-info", flags);
            CAPTURE(seed.name);
            CAPTURE(flags[1]);
            CHECK((result.exit_code == 0 || result.exit_code == 1));
            CHECK(is_calm(result.text()));
            CHECK(is_calm(result.err));
        }
    }
}

TEST_CASE("an option that nothing else on the command line has a use for is misuse, and says whose it is") {
    const TemporaryFolder folder;
    const std::string path = small_llama().save(folder / "m.gguf");
    using Flags = std::vector<std::string>;
    const auto run = [&](Flags flags) {
        flags.insert(flags.begin(), path);
        return run_tool("gguf-info", flags);
    };
    const std::string sort = "--sort is for --metadata and --tensors", in_full = "--long is for --tensors and --stats",
                      faults = "--strict and --profile are for what shows faults",
                      whole = "--json prints all of the file as it is", types = "FILE excludes --list-types";
    for (const auto& [flags, why] :
         std::vector<std::pair<Flags, std::string>>{{{"--sort", "name"}, sort},
                                                    {{"--layers", "--sort=name"}, sort},
                                                    {{"--stats", "--sort=name"}, sort},
                                                    {{"--long"}, in_full},
                                                    {{"--metadata", "--long"}, in_full},
                                                    {{"--peek", "q", "--long"}, in_full},
                                                    {{"--tensors", "--strict"}, faults},
                                                    {{"--types", "--profile=spec"}, faults},
                                                    {{"--get=x", "--json", "--strict"}, faults},
                                                    {{"--fit=1G", "--strict"}, faults},
                                                    {{"--verify=x", "--strict"}, faults},
                                                    {{"--json", "--tensors", "q"}, whole},
                                                    {{"--json", "--tensors", "--long"}, whole},
                                                    {{"--json", "--metadata", "--sort=name"}, whole},
                                                    {{"--list-types"}, types},
                                                    {{"--markdown", "--html=x"}, "excludes"}}) {
        CAPTURE(fmt::format("{}", fmt::join(flags, " ")));
        const CommandResult result = run(flags);
        CHECK(result.exit_code == 2);
        CHECK(result.text() == "");
        CHECK(result.err.find(why) != std::string::npos);
        CHECK(result.err.find("Try 'gguf-info --help'.") != std::string::npos);
    }
    CHECK(run_tool("gguf-info", {"--list-types", "--json"}).exit_code == 2);
    for (const Flags& flags : {Flags{"--stats", "--long"},
                               {"--check", "--strict", "--tensors"},
                               {"--json", "--profile=llama"},
                               {"--json", "--tensors"},
                               {"--strict"},
                               {"--metadata", "--sort=name"},
                               {"--threads=2"}}) {
        CAPTURE(fmt::format("{}", fmt::join(flags, " ")));
        CHECK(run(flags).exit_code == 0);
    }
}
