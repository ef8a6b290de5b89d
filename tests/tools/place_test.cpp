// Where the tools write: nothing that exists is replaced without --force, no file that the same command reads is ever
// replaced, and - is standard output.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

const std::string source = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string other = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";
const std::string matrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

struct Place {
    TemporaryFolder folder;

    CommandResult run(const std::string& command) const {
        return run_shell("cd '" + folder.path().string() + "' && \"$BIN\"/" + command);
    }
    void write(const std::string& name, std::string_view text) const { write_file(folder / name, text); }
    void copy(const std::string& from, const std::string& name) const { fs::copy_file(from, folder / name); }
    std::vector<std::string> files() const { return names_in(folder.path()); }
};

}  // namespace

TEST_CASE("with --force too, no output replaces a file that the same command reads, under any name") {
    const Place place;
    place.copy(source, "a.gguf");
    place.copy(other, "b.gguf");
    place.copy(matrix, "im.html");
    place.write("r.recipe", "file_type = Q4_K_M\nffn_down=Q6_K\n");
    place.copy(place.folder / "r.recipe", "r.json");
    place.write("t.types", "ffn_down=Q6_K\n");
    for (const char* name : {"a.gguf", "b.gguf", "im.html", "t.types"}) {
        fs::create_hard_link(place.folder / name, place.folder / (std::string("hard-") + name));
        fs::create_symlink(name, place.folder / (std::string("soft-") + name));
    }
    const auto files = place.files();
    const std::pair<std::string, std::string> commands[] = {
        {"im.html", "gguf-diff a.gguf b.gguf --imatrix im.html --html im.html"},
        {"im.html", "gguf-diff a.gguf b.gguf --imatrix im.html --html hard-im.html"},
        {"im.html", "gguf-diff a.gguf b.gguf --imatrix soft-im.html --html im.html"},
        {"b.gguf", "gguf-diff a.gguf b.gguf --html hard-b.gguf"},
        {"a.gguf", "gguf-diff b.gguf b.gguf a.gguf --html hard-a.gguf"},
        {"a.gguf", "gguf-diff a.gguf b.gguf --patch hard-a.gguf"},
        {"a.gguf", "gguf-info a.gguf --html a.gguf"},
        {"a.gguf", "gguf-info a.gguf --manifest a.gguf"},
        {"a.gguf", "gguf-info a.gguf --manifest hard-a.gguf"},
        {"a.gguf", "gguf-info soft-a.gguf --manifest a.gguf"},
        {"im.html", "gguf-requant a.gguf out.gguf Q4_K_M --imatrix im.html --report im.html"},
        {"im.html", "gguf-requant a.gguf out.gguf Q4_K_M --imatrix im.html --report hard-im.html"},
        {"im.html", "gguf-requant a.gguf im.html Q4_K_M --imatrix im.html"},
        {"im.html", "gguf-requant a.gguf hard-im.html Q4_K_M --imatrix im.html --resume"},
        {"im.html", "gguf-requant a.gguf out.gguf Q4_K_M --imatrix im.html --save-recipe hard-im.html"},
        {"r.recipe", "gguf-requant a.gguf r.recipe Q4_K_M --recipe r.recipe"},
        {"r.recipe", "gguf-requant a.gguf out.gguf Q4_K_M --recipe r.recipe --save-recipe r.recipe"},
        {"r.recipe", "gguf-requant a.gguf out.gguf --dry-run --recipe r.recipe --save-recipe ./r.recipe"},
        {"r.json", "gguf-requant a.gguf out.gguf Q4_K_M --recipe r.json --report r.json"},
        {"t.types", "gguf-requant a.gguf t.types Q4_K_M --tensor-type-file t.types"},
        {"t.types", "gguf-requant a.gguf hard-t.types Q4_K_M --tensor-type-file t.types"},
        {"t.types", "gguf-requant a.gguf Q8_0:out.gguf Q4_K_M:hard-t.types --tensor-type-file t.types"},
        {"a.gguf", "gguf-requant a.gguf hard-a.gguf Q4_K_M"},
        {"a.gguf", "gguf-requant a.gguf hard-a.gguf Q4_K_M --resume"},
    };
    for (const auto& [file, command] : commands) {
        CAPTURE(command);
        const std::string before = read_text(place.folder / file);
        const CommandResult result = place.run(command + " --force");
        CAPTURE(result.err);
        CHECK((result.exit_code == 2 || (result.exit_code == 1 && !command.starts_with("gguf-diff"))));
        CHECK(result.text() == "");
        CHECK(read_text(place.folder / file) == before);
        CHECK(place.files() == files);
    }
}

TEST_CASE("a shard too replaces no file that the same command reads") {
    const Place place;
    place.copy(source, "a.gguf");
    REQUIRE(place.run("gguf-requant a.gguf s.gguf Q4_K_M --split-max-tensors 12").exit_code == 0);
    const auto files = place.files();
    REQUIRE(files.size() > 2);
    const std::string shard = files[2];  // the second one
    fs::remove(place.folder / shard);
    place.copy(matrix, shard);
    const CommandResult result =
        place.run("gguf-requant a.gguf s.gguf Q4_K_M --split-max-tensors 12 --force --imatrix " + shard);
    CHECK(result.exit_code == 1);
    CHECK(result.err == "gguf-requant: " + shard + ": is an input of the same command\n");
    CHECK(read_text(place.folder / shard) == read_text(matrix));
    CHECK(place.files() == files);
}

TEST_CASE("--manifest replaces no file without --force") {
    const Place place;
    place.copy(source, "a.gguf");
    place.copy(other, "b.gguf");
    REQUIRE(run_shell("cd '" + place.folder.path().string() + "' && sha256sum a.gguf b.gguf > SHA256SUMS").exit_code ==
            0);
    REQUIRE(place.run("gguf-info a.gguf --manifest a.sha256").exit_code == 0);
    for (const char* name : {"SHA256SUMS", "a.sha256"}) {
        const std::string before = read_text(place.folder / name);
        const CommandResult result = place.run(std::string("gguf-info b.gguf --manifest ") + name);
        CHECK(result.exit_code == 1);
        CHECK(result.err == std::string("gguf-info: ") + name +
                                ": exists already; use --force to replace it, --verify to compare with it\n");
        CHECK(read_text(place.folder / name) == before);
    }
    REQUIRE(place.run("gguf-info b.gguf --manifest a.sha256 --force").exit_code == 0);
    CHECK(place.run("gguf-info b.gguf --verify a.sha256").exit_code == 0);
    CHECK(place.run("gguf-info b.gguf --force").exit_code == 2);
}

TEST_CASE("- is standard output, and alone there") {
    const Place place;
    place.copy(source, "a.gguf");
    place.copy(other, "b.gguf");
    const auto files = place.files();

    const auto prints = [&](const std::string& command, int code, std::string_view beginning) {
        const CommandResult result = place.run(command);
        CAPTURE(command);
        CAPTURE(result.err);
        CHECK(result.exit_code == code);
        CHECK(result.text().starts_with(beginning));
        fs::remove(place.folder / "out.gguf");
        CHECK(place.files() == files);
        return result.text();
    };
    const std::string manifest = prints("gguf-info a.gguf --manifest -", 0, "sha256    ");
    CHECK(manifest == place.run("gguf-info a.gguf --hash sha256").text());
    CHECK(prints("gguf-info a.gguf --manifest - --hash", 0, "xxh128    ") ==
          place.run("gguf-info a.gguf --hash").text());
    prints("gguf-info a.gguf --html -", 0, "<!doctype html>");
    CHECK(prints("gguf-info a.gguf --html - --gpu 1GiB", 0, "<!doctype html>").ends_with("</html>\n"));
    prints("gguf-diff a.gguf b.gguf --html -", 1, "<!doctype html>");
    CHECK(prints("gguf-diff a.gguf b.gguf b.gguf --html -", 1, "<!doctype html>").ends_with("</html>\n"));
    prints("gguf-requant a.gguf out.gguf Q8_0 --save-recipe -", 0, "");
    const std::string report = prints("gguf-requant a.gguf out.gguf Q8_0 --report -", 0, "{");
    CHECK(boost::json::parse(report).at("output") == "out.gguf");

    for (const char* command :
         {"gguf-info a.gguf --manifest - --json", "gguf-info a.gguf --manifest - --stats",
          "gguf-info a.gguf --html - --types", "gguf-info a.gguf --html - --json",
          "gguf-diff a.gguf b.gguf --html - --json", "gguf-diff a.gguf b.gguf --html - --brief",
          "gguf-requant a.gguf out.gguf Q8_0 --report - --json",
          "gguf-requant a.gguf out.gguf Q8_0 --report - --save-recipe -", "gguf-requant a.gguf - Q8_0 --report -",
          "gguf-requant a.gguf Q8_0:x.gguf Q4_0:y.gguf --report -"}) {
        CHECK(prints(command, 2, "") == "");
    }
}

TEST_CASE("gguf-diff --patch - and --apply PATCH OLD - write to standard output") {
    const Place place;
    SmallModel model = small_llama();
    model.save(place.folder / "old.gguf");
    model.set("general.name", "A model with a longer name than it had before").save(place.folder / "new.gguf");
    REQUIRE(place.run("gguf-diff old.gguf new.gguf --patch fix").exit_code == 0);
    const auto files = place.files();
    const CommandResult patch = place.run("gguf-diff old.gguf new.gguf --patch - | cat");
    CHECK(patch.out == read_bytes(place.folder / "fix"));
    CHECK(patch.err == "");
    const CommandResult applied = place.run("gguf-diff --apply fix old.gguf - | cat");
    CHECK(applied.out == read_bytes(place.folder / "new.gguf"));
    CHECK(applied.err == "");
    CHECK(place.run("gguf-diff --apply fix old.gguf - > /dev/full").exit_code == 2);
    CHECK(place.run("gguf-diff old.gguf new.gguf --patch - > /dev/full").exit_code == 2);
    CHECK(place.run("gguf-diff --apply fix new.gguf - | cat").text() == "");  // not OLD: nothing is passed on
    for (const char* misuse :
         {"gguf-diff --apply fix old.gguf - --json", "gguf-diff old.gguf new.gguf --patch - --json",
          "gguf-diff - new.gguf --patch -", "gguf-diff --apply - old.gguf x.gguf"}) {
        CAPTURE(misuse);
        const CommandResult refused = place.run(std::string(misuse) + " < /dev/null");
        CHECK(refused.exit_code == 2);
        CHECK(refused.text() == "");
    }
    CHECK(place.files() == files);
}
