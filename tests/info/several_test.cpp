// gguf-info with several files: a table with a line for each.
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

// The table without the folder of the files.
std::string in_folder(const TemporaryFolder& folder, const CommandResult& result) {
    std::string text = result.text();
    const std::string path = folder.path().string() + "/";
    for (std::size_t at; (at = text.find(path)) != text.npos;) text.erase(at, path.size());
    return text;
}

}  // namespace

TEST_CASE("several files are a line each, a broken one has its error, and the exit code is 1") {
    const TemporaryFolder folder;
    const std::string a = small_llama().save(folder / "a.gguf"), c = small_llama().save(folder / "c.gguf");
    write_file(folder / "b.gguf", "GGUF");
    const CommandResult whole = run_shell("cd '" + folder.path().string() + "' && \"$BIN/gguf-info\" a.gguf c.gguf");
    CHECK(whole.exit_code == 0);
    CHECK(whole.err == "");
    CHECK("\n" + whole.text() == R"(
FILE    ARCHITECTURE  WEIGHTS  TYPE     BPW       SIZE  PROBLEMS
a.gguf  llama         429.1 K  Q4_K_M  4.85  255.5 KiB  none
c.gguf  llama         429.1 K  Q4_K_M  4.85  255.5 KiB  none
)");
    const CommandResult result = run_tool("gguf-info", {a, folder / "b.gguf", c, folder / "nowhere.gguf"}, 0);
    CHECK(result.exit_code == 1);
    CHECK(result.err == "");
    const std::string text = in_folder(folder, result);
    CHECK(std::ranges::count(text, '\n') == 5);
    CHECK(text.find("\nb.gguf ") != text.npos);
    CHECK(text.find("TRUNCATED") != text.npos);
    CHECK(text.find("\nnowhere.gguf ") != text.npos);
    CHECK(text.find("No such file or directory\n") != text.npos);
    CHECK(run_tool("gguf-info", {a, c, "--markdown"}).text().starts_with("| FILE | ARCHITECTURE |"));
}

TEST_CASE("several files as JSON: an array of the documents of each, with the file's name") {
    const TemporaryFolder folder;
    const std::string a = small_llama().save(folder / "a.gguf"), b = folder / "b.gguf";
    write_file(b, "GGUF");
    const CommandResult result = run_tool("gguf-info", {a, b, "--json"});
    CHECK(result.exit_code == 1);
    const auto files = boost::json::parse(result.text()).as_array();
    REQUIRE(files.size() == 2);
    CHECK(text_of(files[0].at("file")) == a);
    CHECK(text_of(files[1].at("file")) == b);
    auto alone = json_of(run_tool("gguf-info", {a, "--json"}));
    auto first = files[0].as_object();
    first.erase("file");
    CHECK(first == alone);
    CHECK(files[1].at("diagnostics").as_array().size() == 1);
}

TEST_CASE("several files: shards of one model are one line, and --check tells the invalid") {
    const TemporaryFolder folder;
    const std::string whole = small_llama().save(folder / "m.gguf");
    REQUIRE(run_tool("gguf-requant", {whole, folder / "s.gguf", "COPY", "--split-max-tensors", "4"}).exit_code == 0);
    const CommandResult result =
        run_shell("cd '" + folder.path().string() + "' && \"$BIN/gguf-info\" s-0000*.gguf m.gguf");
    CHECK(result.exit_code == 0);
    const std::string text = result.text();
    CHECK(std::ranges::count(text, '\n') == 3);
    CHECK(text.find("\ns-00001-of-00003.gguf ") != text.npos);

    const std::string invalid = small_llama().save(folder / "cut.gguf");
    std::filesystem::resize_file(invalid, std::filesystem::file_size(invalid) - 1000);
    CHECK(run_tool("gguf-info", {whole, invalid}).exit_code == 0);
    CHECK(run_tool("gguf-info", {whole, invalid, "--check"}).exit_code == 1);
    CHECK(run_tool("gguf-info", {whole, whole, "--check"}).exit_code == 0);
}

TEST_CASE("several files: what is of one file alone is refused") {
    const std::string model = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";
    for (const char* flag : {"--tensors", "--get=general.name", "--fit=1G", "--stats", "--hash", "--html=x.html"}) {
        CAPTURE(flag);
        const CommandResult result = run_tool("gguf-info", {model, model, flag});
        CHECK(result.exit_code == 2);
        CHECK(result.text() == "");
        CHECK(result.err.find("several files are shown as a table") != std::string::npos);
    }
}
