// What people give the tools that is nearly right, or unusual: empty values, folders, pipes, odd names, other locales.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

const std::string trained = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";

bool is_ascii(const std::string& text) {
    return std::ranges::all_of(text, [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}

// In the folder, in bash: with <(process substitution).
CommandResult bash(const TemporaryFolder& folder, const std::string& script) {
    return run_command({"bash", "-c", "cd '" + folder.path().string() + "' && BIN='" GGUFKIT_BIN_DIR "'; " + script},
                       {}, {"TERM=xterm", "NO_COLOR=", "COLUMNS="});
}

}  // namespace

TEST_CASE("an empty value is refused, whatever the option") {
    const TemporaryFolder folder;
    const std::string output = folder / "o.gguf";
    for (const char* flag :
         {"--get", "--peek", "--threads", "--fit", "--html", "--manifest", "--verify", "--sort", "--ctx"}) {
        CAPTURE(flag);
        const CommandResult result = run_tool("gguf-info", {trained, flag, ""});
        CHECK(result.exit_code == 2);
        CHECK(result.text() == "");
        CHECK(result.err.starts_with(std::string("gguf-info: ") + flag + ": the value is empty\n"));
    }
    for (const char* flag : {"--threads", "--tensor-type", "--imatrix", "--recipe", "--shm", "--effort", "--report"}) {
        CAPTURE(flag);
        const CommandResult result = run_tool("gguf-requant", {trained, output, "Q4_0", flag, ""});
        CHECK(result.exit_code == 2);
        CHECK(result.err.starts_with(std::string("gguf-requant: ") + flag + ": the value is empty\n"));
    }
    CHECK_FALSE(std::filesystem::exists(output));
    CHECK(run_tool("gguf-info", {""}).err.starts_with("gguf-info: an argument is empty\n"));
    CHECK(run_tool("gguf-diff", {trained, ""}).err.starts_with("gguf-diff: an argument is empty\n"));
    CHECK(run_tool("gguf-info", {trained, "--tensors", ""}).exit_code == 0);  // may be left out
}

TEST_CASE("a pattern before the file, and lengths of context as people write them") {
    const CommandResult after = run_tool("gguf-info", {trained, "--tensors", "blk.0.*"});
    CHECK(after.exit_code == 0);
    for (const char* flag : {"--tensors", "--stats", "--metadata"}) {
        const std::string glob = std::string(flag) == "--metadata" ? "general.*" : "blk.0.*";
        const CommandResult before = run_tool("gguf-info", {flag, glob, trained});
        CHECK(before.exit_code == 0);
        CHECK(before.text() == run_tool("gguf-info", {trained, flag, glob}).text());
    }
    CHECK(run_tool("gguf-info", {"--hash", "SHA256", trained}).text() ==
          run_tool("gguf-info", {trained, "--hash", "sha256"}).text());
    const auto fit = [](const std::string& context) {
        return run_tool("gguf-info", {trained, "--fit", "1GiB", "--ctx", context, "--json"});
    };
    CHECK(fit("8k").exit_code == 0);
    CHECK(fit("8k").text() == fit("8192").text());
    CHECK(fit("1M").text() == fit("1048576").text());
    for (const char* wrong : {"8x", "-1", "k", "1.5k", "99999999999999999999k"}) {
        const CommandResult result = fit(wrong);
        CHECK(result.exit_code == 2);
        CHECK(result.err.starts_with("gguf-info: --ctx: '" + std::string(wrong) + "' is not a number"));
    }
}

TEST_CASE("a FIFO and <(a command) are read as files are") {
    const TemporaryFolder folder;
    std::filesystem::copy_file(trained, folder / "m.gguf");
    const CommandResult info = bash(folder, "\"$BIN/gguf-info\" <(cat m.gguf) --tensors");
    CHECK(info.exit_code == 0);
    CHECK(info.err == "");
    CHECK(info.text() == run_tool("gguf-info", {trained, "--tensors"}, 0).text());
    const CommandResult fifo = bash(folder, "mkfifo p && (cat m.gguf > p & \"$BIN/gguf-info\" p)");
    CHECK(fifo.exit_code == 0);
    CHECK(fifo.text().starts_with("p\n"));
    CHECK(bash(folder, "\"$BIN/gguf-diff\" <(cat m.gguf) <(cat m.gguf)").exit_code == 0);
    CHECK(bash(folder,
               "\"$BIN/gguf-requant\" <(cat m.gguf) o.gguf Q4_0 --tensor-type-file <(echo output=Q6_K) && "
               "\"$BIN/gguf-requant\" m.gguf p.gguf Q4_0 --tensor-type output=Q6_K && cmp o.gguf p.gguf")
              .exit_code == 0);
    CHECK(bash(folder, "\"$BIN/gguf-requant\" m.gguf i.gguf Q4_0 --imatrix <(cat '" GGUFKIT_TEST_DATA
                       "/tiny-llama.imatrix.gguf')")
              .exit_code == 0);
    const CommandResult nameless = bash(folder, "\"$BIN/gguf-requant\" <(cat m.gguf) Q4_0");
    CHECK(nameless.exit_code == 2);
    CHECK(nameless.err.find("OUTPUT is missing") != std::string::npos);
}

TEST_CASE("OUTPUT that is a folder: the file goes into it under the name that it gets without OUTPUT") {
    const TemporaryFolder folder;
    const std::string model = folder / "m-f16.gguf", into = folder / "into";
    std::filesystem::copy_file(trained, model);
    std::filesystem::create_directory(into);
    CHECK(run_tool("gguf-requant", {model, into, "Q4_0"}).exit_code == 0);
    CHECK(std::filesystem::exists(into + "/m-Q4_0.gguf"));
    CHECK(run_tool("gguf-requant", {model, "Q5_0:" + into, "Q6_K:" + into + "/"}).exit_code == 0);
    CHECK(std::filesystem::exists(into + "/m-Q5_0.gguf"));
    CHECK(std::filesystem::exists(into + "/m-Q6_K.gguf"));
    const CommandResult twice = run_tool("gguf-requant", {model, "Q8_0:" + into, "Q8_0:" + into});
    CHECK(twice.exit_code == 2);
    CHECK(twice.err.find("m-Q8_0.gguf would be written twice") != std::string::npos);
    CHECK_FALSE(std::filesystem::exists(into + "/m-Q8_0.gguf"));
    const CommandResult missing = run_tool("gguf-requant", {model, folder / "no/", "Q8_0"});
    CHECK(missing.exit_code == 2);
    CHECK(missing.err.starts_with("gguf-requant: there is no folder " + (folder / "no/") + "\n"));
    for (const char* flag : {"--html", "--manifest"}) {
        const CommandResult other = run_tool("gguf-info", {model, flag, into});
        CHECK(other.exit_code != 0);
        CHECK(other.err.find("a folder") != std::string::npos);
    }
}

TEST_CASE("the type that a name ends with is replaced, also one that others have for it") {
    const TemporaryFolder folder;
    const auto derived = [&](const std::string& name) {
        std::filesystem::copy_file(trained, folder / name);
        const CommandResult result = run_tool("gguf-requant", {folder / name, "IQ4_NL", "--dry-run", "--json"});
        CHECK(result.exit_code == 0);
        return std::filesystem::path(text_of(json_of(result).at("output"))).filename().string();
    };
    for (const char* type : {"fp16", "FP32", "f16", "bf16", "UD-Q4_K_XL", "UD-IQ1_M", "Q4_K_L", "Q2_K_XL", "IQ4_NL_XL",
                             "Q3_K_XL", "q4_0", "MXFP4_MOE"}) {
        CAPTURE(type);
        CHECK(derived("m." + std::string(type) + ".gguf") == "m.IQ4_NL.gguf");
    }
    for (const char* name : {"m-UD", "m-Qwen", "m-7B", "m-Q", "m-Q4", "m-Q9_K", "m-IQ", "fp16"}) {
        CAPTURE(name);
        CHECK(derived(name + std::string(".gguf")) == name + std::string("-IQ4_NL.gguf"));
    }
}

TEST_CASE("control characters in names of files reach no screen and break no manifest") {
    const TemporaryFolder folder;
    const std::string name = "a\x1b[31mb\nc\\d\x7f.gguf", path = folder / name;
    std::filesystem::copy_file(trained, path);
    const auto calm = [](const std::string& text) {
        return std::ranges::none_of(text, [](char c) { return (c >= 0 && c < ' ' && c != '\n') || c == '\x7f'; });
    };
    for (const std::vector<std::string>& flags : {std::vector<std::string>{"--hash"},
                                                  {"--hash", "sha256"},
                                                  {"--tensors"},
                                                  {},
                                                  {"--json"},
                                                  {"--fit", "1G"},
                                                  {"--check"},
                                                  {"--header-hex"},
                                                  {"--stats"},
                                                  {"--hash", "--json"},
                                                  {"--get", "nokey"},
                                                  {"--markdown"}}) {
        std::vector<std::string> arguments{path};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        const CommandResult result = run_tool("gguf-info", arguments);
        CHECK(calm(result.text()));
        CHECK(calm(result.err));
        CHECK(std::ranges::count(result.err, '\n') <= 1);
    }
    CHECK(calm(run_tool("gguf-info", {path, trained}).text()));
    CHECK(std::ranges::count(run_tool("gguf-info", {path, trained}).text(), '\n') == 3);
    const std::string manifest = folder / "m.sha256";
    CHECK(run_tool("gguf-info", {path, "--manifest", manifest}).exit_code == 0);
    const std::string text = read_text(manifest);
    CHECK(calm(text));
    CHECK(std::ranges::count(text, '\n') ==
          std::ranges::count(run_tool("gguf-info", {trained, "--hash"}).text(), '\n'));
    CHECK(text.starts_with("\\sha256    "));
    CHECK(text.ends_with("/a\\x1b[31mb\\nc\\\\d\\x7f.gguf\n"));
    const CommandResult verified = run_tool("gguf-info", {path, "--verify", manifest});
    CHECK(verified.exit_code == 0);
    CHECK(calm(verified.text()));
    CHECK(calm(run_tool("gguf-requant", {path, folder / "o\x1b.gguf", "Q4_0"}).text()));
    CHECK(calm(run_tool("gguf-requant", {path, "Q4_0", "--dry-run"}).text()));
    CHECK(calm(run_tool("gguf-diff", {path, folder / "o\x1b.gguf"}).text()));
    CHECK(calm(run_tool("gguf-diff", {path, folder / "o\x1b.gguf", "--patch", folder / "p\x1b"}).text()));
    CHECK(calm(run_tool("gguf-diff", {"--apply", folder / "p\x1b", path, folder / "n\x1b.gguf"}).text()));
    CHECK(calm(run_tool("gguf-info", {folder / "no\x1b.gguf"}).err));
}

TEST_CASE("a name with a line end: sha256sum -c reads the manifest") {
    const TemporaryFolder folder;
    std::filesystem::copy_file(trained, folder / "a\nb\\c.gguf");
    const CommandResult checked =
        bash(folder, "\"$BIN/gguf-info\" a*.gguf --manifest m && sha256sum -c m 2> /dev/null");
    CHECK(checked.text() == "\\a\\nb\\\\c.gguf: OK\n");
}

TEST_CASE("a locale without UTF-8 gets ASCII, columns that line up, and JSON and texts as they are") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    model.set("general.name", "Caf\u00e9 \u2192");
    const std::string path = model.save(folder / "m.gguf"), other = small_llama().save(folder / "o.gguf");
    for (const char* locale : {"LC_ALL=C", "LC_ALL=POSIX", "LC_ALL=en_US.ISO-8859-1"}) {
        CAPTURE(locale);
        for (const std::vector<std::string>& flags : {std::vector<std::string>{},
                                                      {"--tensors"},
                                                      {"--metadata"},
                                                      {"--layers"},
                                                      {"--stats"},
                                                      {"--fit", "1G"},
                                                      {"--help"},
                                                      {"--header-hex"},
                                                      {"--get", "nokey"}}) {
            std::vector<std::string> arguments{path};
            arguments.insert(arguments.end(), flags.begin(), flags.end());
            const CommandResult ascii = run_tool("gguf-info", arguments, 60, {locale});
            CHECK(is_ascii(ascii.text()));
            CHECK(is_ascii(ascii.err));
            std::size_t begin = 0;
            const std::string text = ascii.text();
            for (std::size_t end;
                 !flags.empty() && flags.front() == "--tensors" && (end = text.find('\n', begin)) != text.npos;
                 begin = end + 1)
                CHECK(end - begin <= 60);
        }
        CHECK(is_ascii(run_tool("gguf-requant", {path, "Q4_0", "--dry-run"}, 80, {locale}).text()));
        CHECK(is_ascii(run_tool("gguf-diff", {path, other}, 80, {locale}).text()));
        CHECK(run_tool("gguf-info", {path, "--json"}, 80, {locale}).text() ==
              run_tool("gguf-info", {path, "--json"}).text());
        CHECK(run_tool("gguf-info", {path, "--get", "general.name"}, 80, {locale}).text() == "Caf\u00e9 \u2192\n");
    }
    const std::string summary = run_tool("gguf-info", {path}, 80, {"LC_ALL=C"}).text();
    CHECK(summary.find("Caf\\u00e9 ->\n") != summary.npos);
    CHECK(summary.find("85.0 %  ##########################\n") != summary.npos);
    CHECK(run_tool("gguf-info", {path}, 80, {"LC_ALL=", "LC_CTYPE=", "LANG=C"}).text() == summary);
    CHECK(run_tool("gguf-info", {path}, 80, {"LC_ALL=C.UTF-8"}).text() != summary);
    CHECK(run_tool("gguf-info", {path}, 80, {"LC_ALL=", "LC_CTYPE=", "LANG="}).text() != summary);
}

TEST_CASE("a vocabulary has no bits a weight") {
    const TemporaryFolder folder;
    const std::string vocabulary = GGUFKIT_TEST_DATA "/ggml-vocab-bert-bge.gguf", output = folder / "v.gguf";
    const CommandResult result = run_tool("gguf-requant", {vocabulary, output, "Q4_K_M"});
    CHECK(result.exit_code == 0);
    CHECK(result.text().find("0.00 bits") == std::string::npos);
    CHECK(result.text().find(", no weights\n") != std::string::npos);
    CHECK(json_of(run_tool("gguf-requant", {vocabulary, "COPY", "--dry-run", "--json"})).at("bpw").is_null());
    CHECK(run_tool("gguf-info", {output, "--layers"}).text().find("0.000") == std::string::npos);
}

TEST_CASE("progress in a log: a line every so often, and none where the work is short or nobody wants any") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    const auto big = model.save(folder / "m.gguf").string();
    const auto lines = [&](const std::string& seconds) {
        return run_tool("gguf-requant", {big, folder / "o.gguf", "Q4_K_M", "--force", "--effort", "max"}, 80,
                        {"GGUFKIT_PROGRESS=" + seconds})
            .err;
    };
    for (const char* rare : {"0", "", "600"}) CHECK(lines(rare).find(" %  ") == std::string::npos);
    const std::string log = lines("0.000001");
    CHECK(log.find(" %  ") != log.npos);
    CHECK(log.find('\r') == log.npos);
    CHECK(log.find('\x1b') == log.npos);
    CHECK(log.ends_with('\n'));
}

TEST_CASE("--manifest says what it wrote, and leaves standard output to others") {
    const TemporaryFolder folder;
    const std::string model = small_llama().save(folder / "m.gguf"), manifest = folder / "m.sha256";
    const CommandResult written = run_tool("gguf-info", {model, "--manifest", manifest});
    CHECK(written.text() == "");
    CHECK(written.err == "gguf-info: note: wrote " + manifest + ": sha256 of 9 tensors and 1 file\n");
}
