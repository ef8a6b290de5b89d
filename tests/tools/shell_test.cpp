// What a shell and man(1) know of the tools comes from their flags, and those programs take it.
#include <doctest/doctest.h>

#include <set>
#include <sstream>

#include "support/files.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr const char* tools[] = {"gguf-info", "gguf-requant", "gguf-diff"};

// "--sort", "--json", … at the beginnings of the lines of --help.
std::set<std::string> flags_in_help(const std::string& tool) {
    std::set<std::string> flags;
    std::istringstream help(run_tool(tool, {"--help"}).text());
    for (std::string line; std::getline(help, line);) {
        if (line.starts_with("  -h,")) line.erase(2, 3);
        if (!line.starts_with("  --")) continue;
        flags.insert(line.substr(2, line.find_first_of(" [", 2) - 2));
    }
    return flags;
}

std::string script(const std::string& tool, const std::string& shell) {
    const CommandResult result = run_tool(tool, {"--completion", shell});
    CHECK(result.exit_code == 0);
    CHECK(result.err == "");
    return result.text();
}

std::string save(const TemporaryFolder& folder, const std::string& name, const std::string& text) {
    write_file(folder / name, text);
    return folder / name;
}

// What bash would offer for the last of `words`, as `complete` was told to find it.
std::set<std::string> offered_by_bash(const TemporaryFolder& folder, const std::string& tool,
                                      const std::string& words) {
    const std::string file = save(folder, "completion.bash", script(tool, "bash"));
    const CommandResult result = run_command(
        {"bash", "-c",
         "cd '" + folder.path().string() + "' && . '" + file + "' && function=$(complete -p " + tool +
             " | sed 's/.*-F \\([^ ]*\\).*/\\1/') && COMP_WORDS=(" + tool + " " + words +
             ") && COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) && $function && printf '%s\\n' \"${COMPREPLY[@]}\""});
    CHECK(result.exit_code == 0);
    CHECK(result.err == "");
    std::set<std::string> offered;
    std::istringstream lines(result.text());
    for (std::string line; std::getline(lines, line);) offered.insert(line);
    offered.erase("");
    return offered;
}

using Words = std::set<std::string>;

}  // namespace

TEST_CASE("every flag of --help is in the completions and on the manual page, and no hidden one") {
    for (const std::string tool : tools) {
        const std::set<std::string> flags = flags_in_help(tool);
        CAPTURE(tool);
        CHECK(flags.size() >= 5);
        CHECK_FALSE(flags.contains("--man"));
        const std::string bash = script(tool, "bash"), zsh = script(tool, "zsh"), fish = script(tool, "fish");
        const std::string man = run_tool(tool, {"--man"}).text();
        for (const std::string& flag : flags) {
            CAPTURE(flag);
            CHECK((bash.find(flag + " ") != bash.npos || bash.find(flag + "'") != bash.npos));
            CHECK((zsh.find(flag + "[") != zsh.npos || zsh.find(flag + "=[") != zsh.npos));
            CHECK(fish.find(" -l " + flag.substr(2) + " ") != fish.npos);
            std::string escaped = flag;
            for (std::size_t at = 0; (at = escaped.find('-', at)) != escaped.npos; at += 2) escaped.insert(at, 1, '\\');
            CHECK(man.find("\\fB" + escaped + "\\fR") != man.npos);
        }
        for (const std::string* text : {&bash, &zsh, &fish, &man}) {
            std::size_t at = text->find("--man");
            while (at != text->npos && text->compare(at, 10, "--manifest") == 0) at = text->find("--man", at + 1);
            CHECK(at == text->npos);
        }
    }
}

TEST_CASE("--completion knows three shells, and it and --man need no other argument") {
    CHECK(run_tool("gguf-diff", {"--completion", "tcsh"}).exit_code == 2);
    CHECK(run_tool("gguf-diff", {"--completion"}).exit_code == 2);
    const CommandResult man = run_tool("gguf-diff", {"--man"});
    CHECK(man.exit_code == 0);
    CHECK(man.text().find(".TH GGUF-DIFF 1 \"\" \"gguf\\-diff 0.1.0\" \"ggufkit\"\n") != std::string::npos);
}

TEST_CASE("completion in bash: flags, their values, models") {
    require_program("bash");
    const TemporaryFolder folder;
    for (const std::string tool : tools) {
        const std::string file = save(folder, "all.bash", script(tool, "bash"));
        const CommandResult checked = run_command({"bash", "-n", file});
        CHECK(checked.exit_code == 0);
        CHECK(checked.err == "");
    }
    CHECK(offered_by_bash(folder, "gguf-info", "--so") == Words{"--sort"});
    CHECK(offered_by_bash(folder, "gguf-info", "--t") ==
          Words{"--tensors", "--types", "--tokenizer", "--template", "--threads"});
    CHECK(offered_by_bash(folder, "gguf-info", "--sort ''") == Words{"file", "name", "size", "type", "offset"});
    CHECK(offered_by_bash(folder, "gguf-info", "--sort '=' s") == Words{"size"});
    CHECK(offered_by_bash(folder, "gguf-info", "--sort '='") == Words{"file", "name", "size", "type", "offset"});
    CHECK(offered_by_bash(folder, "gguf-info", "--get ''").empty());
    CHECK(offered_by_bash(folder, "gguf-requant", "in.gguf Q4_K") == Words{"Q4_K_S", "Q4_K_M"});
    CHECK(offered_by_bash(folder, "gguf-requant", "--output-tensor-type MX") == Words{"MXFP4"});
    CHECK(offered_by_bash(folder, "gguf-requant", "--effort ''") == Words{"fast", "default", "max"});
    for (const char* name : {"a model.gguf", "b.gguf.zst", "c.txt", "d.gguf.xz"}) save(folder, name, "");
    std::filesystem::create_directory(folder / "folder");
    CHECK(offered_by_bash(folder, "gguf-diff", "''") == Words{"a model.gguf", "b.gguf.zst", "d.gguf.xz", "folder"});
    CHECK(offered_by_bash(folder, "gguf-info", "--tensors b") == Words{"b.gguf.zst"});
    CHECK(offered_by_bash(folder, "gguf-info", "--verify c") == Words{"c.txt", "completion.bash"});
    for (const char* flag : {"gguf-info --manifest", "gguf-info --html", "gguf-diff --apply", "gguf-diff --patch",
                             "gguf-requant --report", "gguf-requant --imatrix"}) {
        const std::string words = flag;
        const std::size_t blank = words.find(' ');
        CHECK(offered_by_bash(folder, words.substr(0, blank), words.substr(blank + 1) + " c.") == Words{"c.txt"});
    }
    CHECK(offered_by_bash(folder, "gguf-info", "--hash sh") == Words{"sha256", "sha1"});
    CHECK(offered_by_bash(folder, "gguf-info", "--hash b") == Words{"b.gguf.zst"});  // its kind may be left out
    CHECK(offered_by_bash(folder, "gguf-diff", "--fail-above m") == Words{"max="});
    CHECK(offered_by_bash(folder, "gguf-requant", "in.gguf q4_k") == Words{"Q4_K_S", "Q4_K_M"});
    CHECK(offered_by_bash(folder, "gguf-requant", "--output-tensor-type mx") == Words{"MXFP4"});
}

TEST_CASE("completion in zsh: it parses, and is found by compinit and by source") {
    require_program("zsh");
    const TemporaryFolder folder;
    for (const std::string tool : tools) {
        const std::string file = save(folder, "_" + tool, script(tool, "zsh"));
        const CommandResult checked = run_command({"zsh", "-n", file});
        CHECK(checked.exit_code == 0);
        CHECK(checked.err == "");
        const std::string print = " && print -r -- \"$_comps[" + tool + "]\"";
        const std::string compinit =
            "fpath=('" + folder.path().string() + "' $fpath) && autoload -U compinit && compinit -D -u";
        CHECK(run_command({"zsh", "-fc", compinit + print}).text() == "_" + tool + "\n");
        const CommandResult sourced =
            run_command({"zsh", "-fc", "autoload -U compinit && compinit -D -u && . '" + file + "'" + print});
        CHECK(sourced.text() == "_" + tool + "\n");
        CHECK(sourced.err == "");
    }
}

TEST_CASE("completion in fish: flags with their descriptions, and values") {
    require_program("fish");
    const TemporaryFolder folder;
    const auto offered = [&](const std::string& tool, const std::string& line) {
        const std::string file = save(folder, tool + ".fish", script(tool, "fish"));
        const CommandResult checked = run_command({"fish", "-n", file});
        CHECK(checked.exit_code == 0);
        CHECK(checked.err == "");
        const std::vector<std::string> home{"HOME=" + folder.path().string(),
                                            "XDG_CONFIG_HOME=" + folder.path().string()};
        return run_command({"fish", "-c",
                            "cd '" + folder.path().string() + "'; source '" + file + "'; complete -C '" + line + "'"},
                           {}, home)
            .text();
    };
    CHECK(offered("gguf-info", "gguf-info --header").starts_with("--header-hex\tThe header byte by byte"));
    CHECK(offered("gguf-info", "gguf-info --sort=si").find("size") != std::string::npos);
    CHECK(offered("gguf-requant", "gguf-requant m.gguf IQ4_X").starts_with("IQ4_XS"));
    CHECK(offered("gguf-diff", "gguf-diff --thr").starts_with("--threads\t"));
    CHECK(offered("gguf-requant", "gguf-requant m.gguf iq4_x").starts_with("IQ4_XS"));
    CHECK(offered("gguf-diff", "gguf-diff --fail-above rel").starts_with("relative_rmse="));
    CHECK(offered("gguf-info", "gguf-info --hash=xx").starts_with("--hash=xxh3\n"));
}

TEST_CASE("the manual pages: groff has no warnings, and they say what --help says") {
    require_program("man");
    require_program("groff");
    const TemporaryFolder folder;
    for (const std::string tool : tools) {
        CAPTURE(tool);
        const std::string file = save(folder, tool + ".1", run_tool(tool, {"--man"}).text());
        const CommandResult page = run_command({"man", "--warnings", "-l", file}, {},
                                               {"MANWIDTH=80", "LC_ALL=C.UTF-8", "MAN_KEEP_FORMATTING="});
        CHECK(page.exit_code == 0);
        CHECK(page.err == "");
        const std::string text = page.text();
        for (const char* heading :
             {"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "EXIT STATUS", "SEE ALSO"}) {
            CHECK(text.find(std::string("\n") + heading + "\n") != text.npos);
        }
        for (const std::string& flag : flags_in_help(tool)) CHECK(text.find(" " + flag) != text.npos);
        std::vector<std::string> headings;  // of lines that begin a section, and no others
        std::istringstream lines(text);
        for (std::string line; std::getline(lines, line);) {
            if (!line.empty() && line.front() != ' ' && line.find("(1)") == line.npos &&
                line.find("0.1.0") == line.npos)
                headings.push_back(line);
        }
        CHECK(headings == std::vector<std::string>{"NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES",
                                                   "EXIT STATUS", "ENVIRONMENT", "SEE ALSO"});
        for (const char* variable : {"COLUMNS", "GGUFKIT_CACHE", "GGUFKIT_PROGRESS", "GGUFKIT_SIMD", "HF_ENDPOINT",
                                     "HF_TOKEN", "LC_ALL", "NO_COLOR", "TMPDIR"}) {
            CAPTURE(variable);
            CHECK(text.find(std::string("\n       ") + variable, text.find("\nENVIRONMENT\n")) != text.npos);
        }
        CHECK(text.find("\n       2      ") != text.npos);
        CHECK(run_command({"groff", "-man", "-Tutf8", "-ww", "-K", "utf8", file}).err == "");
    }
    const std::string info = run_tool("gguf-info", {"--man"}).text();
    CHECK(info.find("jq \\(aq.tensors[] | select(.type == \"F32\").name\\(aq\n") != info.npos);
}
