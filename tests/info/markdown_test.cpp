// --markdown: text of a file stays text, tables stay tables.
#include <doctest/doctest.h>

#include <sstream>

#include "info/screens.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

TEST_CASE("--markdown: nothing in a file is markup, and every row has the cells of its titles") {
    SmallModel model;
    model.set("general.architecture", "llama");
    model.set("a|b", "| * _x_ `code` <b> [link](http://example.org) # & ~~ $x$ \\ !");
    model.set("attn_norm", "snake_case stays");
    model.set("tokenizer.chat_template", "```\n## not a heading\n````\n\x1b[2J");
    model.tensor("t|<img src=x>", TensorType::F32, {8});
    const std::string text = screen(model, {"--markdown", "--metadata", "--tensors", "--layers", "--template"}, 80);
    CHECK(
        text.find(
            "| a\\|b | str | \\| \\* \\_x\\_ \\`code\\` \\<b\\> \\[link\\](http://example.org) \\# \\& \\~\\~ \\$x\\$ "
            "\\\\ \\! |\n") != text.npos);
    CHECK(text.find("| attn_norm | str | snake_case stays |\n") != text.npos);
    CHECK(text.find("| t\\|\\<img src=x\\> | F32 | 8 | 0 | 32 |\n") != text.npos);
    CHECK(text.find("\n`````\n```\n## not a heading\n````\n\\x1b[2J\n`````\n") != text.npos);
    for (const char* title : {"## Metadata\n\n| KEY | TYPE | VALUE |\n| --- | --- | --- |\n", "\n\n## Tensors\n\n",
                              "\n\n## Layers\n\n", "\n\n## Chat template\n\n"}) {
        CAPTURE(title);
        CHECK(text.find(title) != text.npos);
    }
    std::istringstream lines(text);
    std::size_t cells = 0;
    for (std::string line; std::getline(lines, line);) {
        if (!line.starts_with("|")) {
            cells = 0;
            continue;
        }
        std::size_t bars = 0;
        for (std::size_t i = 0; i < line.size(); ++i) {
            if (line[i] == '\\') {
                ++i;
            } else if (line[i] == '|') {
                ++bars;
            }
        }
        CHECK((cells == 0 || bars == cells));
        cells = bars;
    }
}

TEST_CASE("--markdown: long values are cut and carry their length, colour never comes, other outputs are misuse") {
    SmallModel model;
    model.set("general.architecture", "llama").set("long", std::string(5000, 'x'));
    const std::string text = screen(model, {"--markdown", "--metadata", "--color=always"}, 80);
    CHECK(text.find("xxx… (5,000 bytes) |\n") != text.npos);
    CHECK(text.find('\x1b') == text.npos);
    CHECK(screen(model, {"--markdown", "--metadata"}, 0) == text);
    for (const std::vector<std::string>& more :
         {std::vector<std::string>{"--json"}, {"--get", "long"}, {"--verify", "other.gguf"}}) {
        std::vector<std::string> arguments{"m.gguf", "--markdown"};
        arguments.insert(arguments.end(), more.begin(), more.end());
        CHECK(run_tool("gguf-info", arguments).exit_code == 2);
    }
    const std::string types = run_tool("gguf-info", {"--list-types", "--markdown"}).text();
    CHECK(types.find("| 14 | Q6_K | 6.5625 | 256 | 210 | weights | read and made |  |\n") != types.npos);
}
