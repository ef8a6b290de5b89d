// What the three tools share as programs: help, misuse, pipes, full disks, colour.
#include <doctest/doctest.h>

#include "quant/simd/target.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr const char* tools[] = {"gguf-info", "gguf-requant", "gguf-diff"};

// A model with so much metadata that a pipe cannot hold it.
std::string long_model(const TemporaryFolder& folder) {
    SmallModel model = small_llama();
    model.set("tokenizer.ggml.tokens", Value::of_strings(std::vector<std::string>(50'000, "a token")));
    return model.save(folder / "long.gguf");
}

}  // namespace

TEST_CASE("--help fits 80 columns, teaches by example and names the exit codes") {
    for (const char* tool : tools) {
        CAPTURE(tool);
        const CommandResult result = run_tool(tool, {"--help"});
        CHECK(result.exit_code == 0);
        CHECK(result.err == "");
        const std::string text = result.text();
        CHECK(text.starts_with(std::string(tool) + ": "));
        for (const char* part :
             {"\nUsage:\n", "\nOptions:\n", "\nExamples:\n", "\nExit codes:\n", "--json", "--version"}) {
            CHECK(text.find(part) != text.npos);
        }
        std::size_t begin = 0;
        for (std::size_t end; (end = text.find('\n', begin)) != text.npos; begin = end + 1) CHECK(end - begin <= 80);
        CHECK(run_tool(tool, {"-h"}).text() == text);
        CHECK(run_tool(tool, {"--version"}).text() == std::string(tool) + " 0.1.0\n");
    }
}

TEST_CASE("an instruction set that is not there is misuse, and the ones that are there are named") {
    const TemporaryFolder folder;
    const std::string model = small_llama().save(folder / "m.gguf");
    const auto run = [&](const char* tool, const std::string& simd) {
        std::vector<std::string> arguments{model};
        if (tool != tools[0]) arguments.push_back(tool == tools[1] ? folder / "out.gguf" : model);
        if (tool == tools[1]) arguments.insert(arguments.end(), {"Q8_0", "--force"});
        return run_tool(tool, arguments, 80, {"GGUFKIT_SIMD=" + simd});
    };
    std::string names;
    for (const std::string_view name : quant::simd_targets()) names += (names.empty() ? "" : ", ") + std::string(name);
    for (const char* tool : tools) {
        CAPTURE(tool);
        const CommandResult unknown = run(tool, "mmx");
        CHECK(unknown.exit_code == 2);
        CHECK(unknown.text() == "");
        CHECK(unknown.err == std::string(tool) +
                                 ": GGUFKIT_SIMD=mmx names no instruction set that can be used here; "
                                 "there are " +
                                 names + "\nTry '" + tool + " --help'.\n");
        CHECK(run(tool, "").exit_code == 0);
        for (const std::string_view name : quant::simd_targets()) CHECK(run(tool, std::string(name)).exit_code == 0);
    }
}

TEST_CASE("without arguments: usage and examples on standard error, and 2") {
    for (const char* tool : tools) {
        const CommandResult result = run_tool(tool, {});
        CHECK(result.exit_code == 2);
        CHECK(result.text() == "");
        CHECK(result.err.starts_with("Usage:\n  " + std::string(tool)));
        CHECK(result.err.find("\n\nExamples:\n  " + std::string(tool) + " ") != std::string::npos);
        CHECK(result.err.find("Exit codes") == std::string::npos);
        CHECK(result.err.ends_with("\n\nTry '" + std::string(tool) + " --help'.\n"));
        CHECK(run_tool(tool, {"--no-such-flag"}).exit_code == 2);
    }
}

TEST_CASE("a reader that leaves early is no error, and changes no exit code") {
    const TemporaryFolder folder;
    const std::string model = long_model(folder);
    // The status of the first command of the pipe, printed by the last.
    const CommandResult result = run_shell("{ \"$BIN/gguf-info\" " + model + " --json; echo $? >&2; } | head -c 10");
    CHECK(result.text() == "{\"version\"");
    CHECK(result.err == "0\n");
}

TEST_CASE("a standard output that cannot be written is an error") {
    const TemporaryFolder folder;
    const std::string model = long_model(folder);
    const auto to_full = [&](const std::string& command) { return run_shell("\"$BIN\"/" + command + " > /dev/full"); };
    const CommandResult info = to_full("gguf-info " + model);
    CHECK(info.exit_code == 1);
    CHECK(info.err == "gguf-info: cannot write to standard output: No space left on device\n");
    CHECK(to_full("gguf-info --help").exit_code == 1);
    CHECK(to_full("gguf-info --version").exit_code == 1);
    CHECK(to_full("gguf-info --json " + model).exit_code == 1);
    CHECK(to_full("gguf-diff " + model + " " + model).exit_code == 2);
    CHECK(to_full("gguf-requant --list-types").exit_code == 1);
    CHECK(run_shell("\"$BIN/gguf-info\" " + model + " >&-").exit_code == 1);
}

TEST_CASE("colour: asked for, or on a terminal that can, and NO_COLOR is heard") {
    const TemporaryFolder folder;
    const std::string model = small_llama().save(folder / "m.gguf");
    const auto colored = [](const CommandResult& result) { return result.text().find('\x1b') != std::string::npos; };
    CHECK_FALSE(colored(run_tool("gguf-info", {model})));
    CHECK(colored(run_tool("gguf-info", {model, "--color=always"})));
    CHECK_FALSE(colored(run_tool("gguf-info", {model, "--color=never"})));

    // script(1) gives a terminal.
    if (run_shell("command -v script > /dev/null && script -qec true /dev/null").exit_code != 0) return;
    const auto on_terminal = [&](const std::string& setting, const std::string& flags) {
        return run_shell(setting + " script -qec '\"$BIN/gguf-info\" " + model + " " + flags +
                         "' /dev/null < /dev/null");
    };
    CHECK(colored(on_terminal("", "")));
    CHECK_FALSE(colored(on_terminal("NO_COLOR=1", "")));
    CHECK_FALSE(colored(on_terminal("TERM=dumb", "")));
    CHECK_FALSE(colored(on_terminal("", "--color=never")));
    CHECK(colored(on_terminal("NO_COLOR=1", "--color=always")));
}
