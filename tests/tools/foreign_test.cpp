// What is no model, given to the programs: what it is, in the same words everywhere; and what no program takes long for.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <chrono>
#include <filesystem>

#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/foreign_files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// Every program fails with this exit code (1; gguf-diff 2), and says so.
void check_says(const CommandResult& result, int exit_code, std::string_view part) {
    CHECK(result.exit_code == exit_code);
    CHECK_MESSAGE(has(result.err, part), result.err);
    CHECK(result.text() == "");
}

// Wherever a model goes.
void check_model(const TemporaryFolder& folder, const std::string& model, std::string_view part) {
    const std::string sound = folder / "sound.gguf", out = folder / "out.gguf";
    if (!fs::exists(sound)) small_llama().save(sound);
    for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
             {}, {"--stats"}, {"--hash"}, {"--manifest", out}, {"--get", "general.name"}, {"--fit", "1GiB"}}) {
        std::vector<std::string> arguments{model};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        check_says(run_tool("gguf-info", arguments), 1, part);
    }
    check_says(run_tool("gguf-requant", {model, out, "Q8_0"}), 1, part);
    check_says(run_tool("gguf-requant", {model, out, "COPY"}), 1, part);
    check_says(run_tool("gguf-requant", {model, out, "Q8_0", "--dry-run"}), 1, part);
    check_says(run_tool("gguf-diff", {model, sound}), 2, part);
    check_says(run_tool("gguf-diff", {sound, model}), 2, part);
    CHECK_FALSE(fs::exists(out));
}

}  // namespace

TEST_CASE("what is no GGUF file is called what it is, by every program, in place of a model and of an imatrix") {
    const TemporaryFolder folder;
    const std::string sound = small_llama().save(folder / "sound.gguf").string(), out = folder / "out.gguf";
    for (const ForeignFile& file : foreign_files()) {
        CAPTURE(file.name);
        const std::string path = folder / "what.gguf";
        write_file(path, file.bytes);
        const std::string what = "this is " + std::string(file.what) + ", not ";
        const std::string as_model =
            file.compressed ? "TRUNCATED ends within " + std::string(file.what) + " data\n" : what + "a GGUF file; ";
        check_says(run_tool("gguf-info", {path}), 1, as_model);
        check_says(run_tool("gguf-requant", {path, out, "Q8_0"}), 1, as_model);
        check_says(run_tool("gguf-diff", {sound, path}), 2, as_model);
        check_says(run_shell("\"$BIN/gguf-info\" - < '" + path + "'"), 1, as_model);
        check_says(run_shell("cat '" + path + "' | \"$BIN/gguf-info\" -"), 1, as_model.substr(0, 8 + 30));
        if (file.old_imatrix) continue;
        check_says(run_tool("gguf-requant", {sound, out, "Q4_K_M", "--imatrix", path}), 1,
                   what + "an importance matrix; ");
        check_says(run_tool("gguf-diff", {sound, sound, "--imatrix", path}), 2, what + "an importance matrix; ");
    }
    write_file(folder / "page.gguf", "<html>");
    check_model(folder, folder / "page.gguf", "this is an HTML page, not a GGUF file; ");
}

TEST_CASE("a folder in place of a model or an imatrix") {
    const TemporaryFolder folder;
    fs::create_directory(folder.path() / "models");
    small_llama().save(folder / "models/llama.gguf");
    const std::string part = "models: is a folder; name a file in it, such as llama.gguf\n";
    check_model(folder, folder / "models", part);
    check_says(run_tool("gguf-requant",
                        {folder / "sound.gguf", folder / "out.gguf", "Q4_K_M", "--imatrix", folder / "models"}),
               1, part);
}

TEST_CASE("a model in place of an imatrix, and what goes with a model in place of one") {
    const TemporaryFolder folder;
    const std::string sound = small_llama().save(folder / "sound.gguf").string();
    check_says(run_tool("gguf-requant", {sound, folder / "out.gguf", "Q4_K_M", "--imatrix", sound}), 1,
               "this is a model, not an importance matrix");
    for (const auto& [key, value, what, option] :
         {std::tuple{"general.type", "adapter", "a LoRA adapter", "--lora"},
          {"general.architecture", "clip", "a multimodal projector (mmproj)", "--mmproj"},
          {"general.type", "imatrix", "an importance matrix", "--imatrix"},
          {"general.architecture", "controlvector", "a control vector", "--control-vector"}}) {
        SmallModel model = small_llama();
        model.set(key, value);
        const std::string path = model.save(folder / "other.gguf").string();
        const std::string said = std::string(what) + ", not a model: llama.cpp takes it as " + option;
        CHECK(has(run_tool("gguf-info", {path}, 120).text(), said));
        check_says(run_tool("gguf-info", {path, "--fit", "1GiB"}), 1, "this is " + std::string(what) + ", not a model");
        const std::string out = folder / "made.gguf";
        if (what == std::string("a control vector")) {
            check_says(run_tool("gguf-requant", {path, out, "Q8_0"}), 2,
                       "the input is a control vector, not a model: ");
            CHECK(run_tool("gguf-requant", {path, out, "COPY"}).exit_code == 0);
        }
        if (what == std::string("an importance matrix")) continue;
        check_says(run_tool("gguf-requant", {sound, folder / "out.gguf", "Q4_K_M", "--imatrix", path}), 1,
                   "this is " + std::string(what) + ", not an importance matrix");
    }
}

TEST_CASE("shards that were joined with cat: said so, with the place of the next header and how to merge them") {
    const TemporaryFolder folder;
    const std::string first = small_llama().save_split(folder / "m", 3).string(), joined = folder / "joined.gguf";
    REQUIRE(run_shell("cd '" + folder.path().string() + "'; cat m-*.gguf > joined.gguf").exit_code == 0);
    char place[32];
    std::snprintf(place, sizeof place, "@0x%llx", static_cast<unsigned long long>(fs::file_size(first)));
    const std::string part = std::string("file ") + place + ": BAD_SPLIT GGUF-R058 another GGUF header begins here";

    const CommandResult screen = run_tool("gguf-info", {joined}, 400);
    const std::string summary = screen.text();
    CHECK(screen.exit_code == 1);
    CHECK(has(summary, "another GGUF header begins here, behind shard 1 of 3"));
    CHECK(
        has(summary, std::string("another shard begins at ") + (place + 1) + ": shards joined by 'cat' are no model"));
    const CommandResult tensors = run_tool("gguf-info", {joined, "--tensors"});
    CHECK(tensors.exit_code == 1);
    CHECK(has(tensors.err, part));
    CHECK(has(summary, "1 error"));
    const CommandResult check = run_tool("gguf-info", {joined, "--check"});
    CHECK(check.exit_code == 1);
    CHECK(has(check.text(), "merge them with: gguf-requant NAME-00001-of-00003.gguf OUTPUT COPY"));
    CHECK_FALSE(has(check.text(), "its name must end in"));
    check_says(run_tool("gguf-requant", {joined, folder / "out.gguf", "COPY"}), 1, part);
    check_says(run_tool("gguf-diff", {joined, first}), 2, part);
    check_says(run_tool("gguf-info", {joined, "--hash"}), 1, part);
    // Under the name of a shard too.
    fs::rename(joined, first);
    check_says(run_tool("gguf-requant", {first, folder / "out.gguf", "COPY"}), 1, part);
    // Shards that are apart merge.
    REQUIRE(fs::remove(first));
    small_llama().save_split(folder / "m", 3);
    CHECK(run_tool("gguf-requant", {first, folder / "out.gguf", "COPY"}).exit_code == 0);

    // Files that are no shards are no fault of the first of them.
    const std::string one = small_llama().save(folder / "one.gguf").string();
    REQUIRE(run_shell("cd '" + folder.path().string() + "'; cat one.gguf one.gguf > two.gguf").exit_code == 0);
    const CommandResult two = run_tool("gguf-info", {folder / "two.gguf", "--check"});
    CHECK(two.exit_code == 0);
    CHECK(has(two.text(), "where another GGUF header begins"));
}

TEST_CASE("a full or missing folder for temporary files is no fault of the file") {
    const TemporaryFolder folder;
    const std::string path = small_llama().save(folder / "m.gguf").string();
    REQUIRE(run_tool("gguf-requant", {path, path + ".zst", "COPY"}).exit_code == 0);
    for (const bool full : {false, true}) {
        const std::string how = full ? "trap '' XFSZ; unset TMPDIR; ulimit -f 1; "
                                     : "TMPDIR='" + folder.path().string() + "/none'; export TMPDIR; ";
        const CommandResult check = run_shell(how + "\"$BIN/gguf-info\" '" + path + ".zst' --check");
        CHECK(check.exit_code == 1);
        CHECK_FALSE(has(check.text(), "invalid"));
        CHECK_FALSE(has(check.text(), "GGUF-R"));
        CHECK(has(check.text(), "its content cannot be kept in "));
        CHECK(has(check.text(), path + ".zst: could not be checked\n"));
        const auto json = json_of(run_shell(how + "\"$BIN/gguf-info\" '" + path + ".zst' --json"));
        const auto& diagnostics = json.at("diagnostics").as_array();
        REQUIRE(diagnostics.size() == 1);
        CHECK(text_of(diagnostics[0].at("code")) == (full ? "IO_NO_SPACE" : "IO_WRITE"));
        CHECK(text_of(diagnostics[0].at("rule")) == "");
    }
    const CommandResult gone = run_tool("gguf-info", {folder / "none.gguf", "--check"});
    CHECK(gone.exit_code == 1);
    CHECK(has(gone.text(), "none.gguf: could not be checked\n"));
    // A shard that is there but cannot be opened.
    const std::string first = small_llama().save_split(folder / "s", 2).string();
    fs::remove(folder / "s-00002-of-00002.gguf");
    fs::create_directory(folder / "s-00002-of-00002.gguf");
    const CommandResult shard = run_tool("gguf-info", {first, "--check"});
    CHECK(shard.exit_code == 1);
    CHECK(has(shard.text(), "could not be checked\n"));
}

TEST_CASE("tensors that overlap: no program reads more than the file is long") {
    // 30,000 tensors, each over all that follow: 14 GB to read, in a file of 2 MB.
    constexpr std::uint64_t count = 30'000;
    Bytes file(little_v3, count, 1);
    file.entry("general.architecture", "llama");
    std::vector<std::string> names;
    for (std::uint64_t i = 0; i < count; ++i) names.push_back("t" + std::to_string(i));
    for (std::uint64_t i = 0; i < count; ++i)
        file.tensor({.name = names[i], .ne = {8 * (count - i)}, .offset = 32 * i});
    file.pad().fill(32 * count);
    const TemporaryFolder folder;
    const std::string path = folder / "overlaps.gguf", out = folder / "out";
    write_file(path, file);
    const std::string sound = small_llama().save(folder / "sound.gguf").string();

    const auto start = std::chrono::steady_clock::now();
    const CommandResult data = run_tool("gguf-info", {path, "--check-data"});
    CHECK(data.exit_code == 1);
    CHECK(has(data.text(), "GGUF-R036 OVERLAP"));
    for (const std::vector<std::string>& flags : std::vector<std::vector<std::string>>{
             {"--stats"}, {"--hash"}, {"--manifest", out}, {"--peek", "t1"}, {"--verify", sound}}) {
        std::vector<std::string> arguments{path};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        check_says(run_tool("gguf-info", arguments), 1, "GGUF-R036");
    }
    check_says(run_tool("gguf-requant", {path, out, "COPY"}), 1, "GGUF-R036");
    check_says(run_tool("gguf-requant", {path, out, "Q8_0"}), 1, "GGUF-R036");
    check_says(run_tool("gguf-diff", {path, sound}), 2, "GGUF-R036");
    check_says(run_tool("gguf-diff", {sound, path}), 2, "GGUF-R036");
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::seconds(20));
}

TEST_CASE("--check-data of a download whose second half is zeros") {
    const TemporaryFolder folder;
    const std::string path = small_llama().save(folder / "m.gguf").string();
    CHECK(run_tool("gguf-info", {path, "--check-data"}).text() == path + ": valid, no problems found\n");
    const auto size = fs::file_size(path);
    fs::resize_file(path, size / 2);
    fs::resize_file(path, size);
    const CommandResult found = run_tool("gguf-info", {path, "--check-data"});
    CHECK(found.exit_code == 0);
    CHECK(has(found.text(),
              "GGUF-R059 TRUNCATED  file: holds nothing but zeros from here on, beginning in tensor 'blk."));
    CHECK(has(found.text(), " tensors are all zeros; "));
    CHECK(has(found.text(), "valid, 1 warning"));
    const CommandResult strict = run_tool("gguf-info", {path, "--check-data", "--strict"});
    CHECK(strict.exit_code == 1);
    CHECK(has(strict.text(), "invalid, 1 error"));
}
