// What the programs do with what lies beside their outputs, and what they leave there.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "requant/journal.hpp"
#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

namespace fs = std::filesystem;
using namespace ggufkit;
using namespace ggufkit::test;

namespace {

using Names = std::vector<std::string>;

// As a run that was killed leaves it.
void leave_work(const std::string& output) {
    write_file(output + ".ggufkit-partial", "half a model");
    REQUIRE(requant::Journal(output + ".ggufkit-journal", "cafe").append({10, 0x11}));
}

// A model of zeros that takes no room but has to be read.
void save_hole(const fs::path& path, const char* name) {
    HeaderModel model("llama");
    model.header().set("general.name", Value::of_string(name));
    model.tensor("t", {1 << 16, 1 << 10}, TensorType::F32).save(path);
}

// Runs gguf-diff in `folder` and cuts `input` short once `output` is being written. Returns its exit code and messages.
std::string diff_while_shrinking(const TemporaryFolder& folder, const std::string& arguments, const std::string& input,
                                 const std::string& output) {
    return run_shell(
               fmt::format("cd '{}'; $BIN/gguf-diff {} 2> messages & n=0\n"
                           "while [ ! -e {}.ggufkit-partial ] && [ $n -lt 2000 ]; do sleep 0.01; n=$((n+1)); done\n"
                           "truncate -s 4096 {}; wait $!; echo \"exit $?\"; cat messages; rm messages",
                           folder.path().string(), arguments, output, input))
        .text();
}

}  // namespace

TEST_CASE("gguf-requant: unfinished work of an earlier run is continued or thrown away, but never in silence") {
    const TemporaryFolder folder;
    const std::string input = folder / "m.gguf", output = folder / "out.gguf";
    const SmallModel model = small_llama();
    model.save(input);
    std::string first = output;
    std::size_t files = 1;
    std::vector<std::string> arguments{input, output, "COPY"};
    SUBCASE("one file") {}
    SUBCASE("shards") {
        files = (model.tensors.size() + 4) / 5;
        arguments.insert(arguments.end(), {"--split-max-tensors", "5"});
        first = folder / fmt::format("out-00001-of-{:05}.gguf", files);
    }
    leave_work(first);
    const auto run = [&](std::vector<std::string> more) {
        more.insert(more.begin(), arguments.begin(), arguments.end());
        return run_tool("gguf-requant", more);
    };
    const CommandResult refused = run({});
    CHECK(refused.exit_code == 1);
    CHECK(refused.err == "gguf-requant: " + first +
                             ".ggufkit-partial: holds unfinished work of an earlier run; use --resume to continue it, "
                             "or --force to start over\n");
    CHECK(fs::exists(first + ".ggufkit-partial"));
    CHECK(fs::exists(first + ".ggufkit-journal"));

    const CommandResult forced = run({"--force"});
    CHECK(forced.exit_code == 0);
    CHECK(forced.err == "");
    CHECK(names_in(folder.path()).size() == 1 + files);

    for (const std::string& name : names_in(folder.path())) {
        if (name != "m.gguf") fs::remove(folder / name);
    }
    leave_work(first);
    const CommandResult resumed = run({"--resume"});
    CHECK(resumed.exit_code == 1);
    CHECK(resumed.err ==
          "gguf-requant: " + first +
              ".ggufkit-partial: holds unfinished work of an earlier run, and it is not the work of this "
              "run (another input, other options or another version); use --force to start over\n");
    CHECK(fs::exists(first + ".ggufkit-partial"));
    CHECK(fs::exists(first + ".ggufkit-journal"));
    CHECK(run({"--resume", "--force"}).exit_code == 0);
    CHECK(fs::exists(first));
    CHECK(names_in(folder.path()).size() == 1 + files);
}

TEST_CASE("gguf-requant: one descriptor a shard, shards of names as long as they can be") {
    const TemporaryFolder folder;
    SmallModel model;
    for (int i = 0; i < 50; ++i) model.tensor(fmt::format("t{}", i), TensorType::F32, {32});
    model.save(folder / "m.gguf");
    const std::string stem(205, 'n');
    const auto result =
        run_shell(fmt::format("cd '{}'; ulimit -n 64; $BIN/gguf-requant m.gguf {}.gguf COPY "
                              "--split-max-tensors 1 2>&1",
                              folder.path().string(), stem));
    CHECK_MESSAGE(result.exit_code == 0, result.text());
    const Names names = names_in(folder.path());
    CHECK(names.size() == 51);
    CHECK(std::ranges::count_if(names, [&](const auto& name) { return name.ends_with("-of-00050.gguf"); }) == 50);
}

TEST_CASE("gguf-diff --patch and --apply leave nothing behind when an input becomes shorter") {
    const TemporaryFolder folder;
    save_hole(folder / "old.gguf", "before");
    save_hole(folder / "new.gguf", "after.");
    SUBCASE("--patch, the old file") {
        const std::string said = diff_while_shrinking(folder, "old.gguf new.gguf --patch p", "old.gguf", "p");
        CHECK(said.starts_with("exit 2\ngguf-diff: "));
        CHECK(names_in(folder.path()) == Names{"new.gguf", "old.gguf"});
    }
    SUBCASE("--patch, the new file") {
        const std::string said = diff_while_shrinking(folder, "old.gguf new.gguf --patch p", "new.gguf", "p");
        CHECK(said.starts_with("exit 2\ngguf-diff: "));
        CHECK(names_in(folder.path()) == Names{"new.gguf", "old.gguf"});
    }
    SUBCASE("--apply") {
        REQUIRE(run_tool("gguf-diff", {folder / "old.gguf", folder / "new.gguf", "--patch", folder / "p"}).exit_code ==
                0);
        const std::string said = diff_while_shrinking(folder, "--apply p old.gguf made.gguf", "old.gguf", "made.gguf");
        CHECK(said.starts_with("exit 2\ngguf-diff: "));
        CHECK(names_in(folder.path()) == Names{"new.gguf", "old.gguf", "p"});
    }
}
