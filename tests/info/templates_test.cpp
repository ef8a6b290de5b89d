// Named chat templates, and what importance matrices say of themselves.
#include <doctest/doctest.h>

#include "info/screens.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

SmallModel with_templates() {
    SmallModel model = small_tokenizer();
    model.set("tokenizer.chat_templates", Value::of_strings(std::vector<std::string>{"tool_use", "rag"}));
    model.set("tokenizer.chat_template", "the default").set("tokenizer.chat_template.tool_use", "with tools");
    model.set("tokenizer.chat_template.rag", "with documents");
    return model;
}

}  // namespace

TEST_CASE("--template prints the default template and names the others, which print by name") {
    const TemporaryFolder folder;
    const std::string path = with_templates().save(folder / "m.gguf").string();
    const auto run = [&](std::vector<std::string> arguments) { return run_tool("gguf-info", std::move(arguments)); };
    const CommandResult plain = run({path, "--template"});
    CHECK(plain.exit_code == 0);
    CHECK(plain.text() == "the default\n");
    CHECK(plain.err == "gguf-info: note: this is the default chat template; --template NAME prints tool_use or rag\n");
    for (const auto& [name, text] : {std::pair("tool_use", "with tools\n"), std::pair("rag", "with documents\n"),
                                     std::pair("default", "the default\n")}) {
        CHECK(run({path, "--template", name}).text() == text);
        CHECK(run({path, "--template", name}).err == "");
        CHECK(run({"--template", name, path}).text() == text);
    }
    CHECK(run({"--template", path}).text() == "the default\n");
    const CommandResult unknown = run({path, "--template", "tool_uses"});
    CHECK(unknown.exit_code == 1);
    CHECK(unknown.text() == "");
    CHECK(unknown.err == "gguf-info: " + path +
                             ": has no chat template 'tool_uses' (did you mean tool_use?); --template NAME prints "
                             "default, tool_use or rag\n");
    const std::string tokenizer = run({path, "--tokenizer"}).text();
    CHECK(tokenizer.find("chat templates  default, tool_use, rag\n") != tokenizer.npos);
    const std::string summary = run({path}).text();
    CHECK(summary.find("chat template  yes, 11 bytes; 2 by name: tool_use, rag\n") != summary.npos);
}

TEST_CASE("--template without any, and where all have names") {
    const TemporaryFolder folder;
    const std::string none = small_tokenizer().save(folder / "none.gguf").string();
    CHECK(run_tool("gguf-info", {none, "--template"}).err == "gguf-info: " + none + ": has no chat template\n");
    SmallModel model = small_tokenizer();
    model.set("tokenizer.chat_template.rag", "with documents");
    const std::string named = model.save(folder / "named.gguf").string();
    const CommandResult result = run_tool("gguf-info", {named, "--template"});
    CHECK(result.exit_code == 1);
    CHECK(result.err == "gguf-info: " + named + ": has no chat template without a name; --template NAME prints rag\n");
}

TEST_CASE("an importance matrix says what text it was made from, and a model which matrix it was made with") {
    SmallModel matrix;
    matrix.set("general.type", "imatrix").set("imatrix.chunk_count", 125u).set("imatrix.chunk_size", 512u);
    matrix.set("imatrix.datasets", Value::of_strings(std::vector<std::string>{"calibration.txt", "code.txt"}));
    matrix.tensor("blk.0.attn_q.weight.in_sum2", TensorType::F32, {8, 1});
    const std::string text = screen(matrix, {}, 80);
    CHECK(text.find("  datasets       calibration.txt, code.txt; 125 chunks of 512 tokens\n") != text.npos);

    SmallModel model = small_llama();
    model.set("quantize.imatrix.file", "m.imatrix.gguf").set("quantize.imatrix.dataset", "calibration.txt");
    model.set("quantize.imatrix.chunks_count", 125u);
    const std::string made = screen(model, {}, 80);
    CHECK(made.find("  imatrix        m.imatrix.gguf of calibration.txt; 125 chunks\n") != made.npos);
}
