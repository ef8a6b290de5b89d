// Messages that cannot be written, standard streams that are closed, and memory that runs out: the exit code and the work
// stay as they should be.
#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <utility>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

const std::string tiny = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";

// The exit code of a command whose messages are lost: `how` is "full", "closed" or "no reader".
std::string exit_code(const TemporaryFolder& folder, const std::string& command, std::string_view how) {
    const std::string in_folder = "cd '" + folder.path().string() + "' || exit; ";
    const std::string run = "\"$BIN\"/" + command + " > /dev/null";
    if (how == "full") return run_shell(in_folder + "( " + run + "; echo $? >&3 ) 3>&1 2> /dev/full").text();
    if (how == "closed") return run_shell(in_folder + "( " + run + "; echo $? >&3 ) 3>&1 2>&-").text();
    return run_shell(in_folder + "{ { sleep 0.1; " + run + "; echo $? >&3; } 2>&1 | true; } 3>&1").text();
}

}  // namespace

TEST_CASE("a message that cannot be written is dropped: the exit code stays and the work goes on") {
    const TemporaryFolder folder;
    const std::pair<std::string, std::string> commands[] = {
        {"gguf-info", "2\n"},
        {"gguf-info nofile.gguf", "1\n"},
        {"gguf-info --no-such-option", "2\n"},
        {"gguf-diff nofile.gguf nofile.gguf", "2\n"},
        {"gguf-requant '" + tiny + "' x.gguf Q9", "2\n"},
        {"gguf-requant '" + tiny + "' nofolder/x.gguf Q8_0", "1\n"},
        {"gguf-requant '" + tiny + "' out.gguf Q8_0 --tensor-type nothing=Q8_0 --force", "0\n"},  // prints a note
    };
    for (const auto& [command, expected] : commands) {
        for (const char* how : {"full", "closed", "no reader"}) {
            CAPTURE(command);
            CAPTURE(how);
            fs::remove(folder / "out.gguf");
            CHECK(exit_code(folder, command, how) == expected);
            CHECK(fs::exists(folder / "out.gguf") == (expected == "0\n"));
        }
    }
}

TEST_CASE("with closed standard streams no message gets into a file") {
    const TemporaryFolder folder;
    const std::string run = "cd '" + folder.path().string() + "' && \"$BIN/gguf-requant\" '" + tiny +
                            "' out.gguf Q8_0 --tensor-type nothing=Q8_0 --force --threads 1";
    REQUIRE(run_shell(run).exit_code == 0);
    const auto expected = read_bytes(folder / "out.gguf");
    for (const char* closed : {"2>&-", ">&- 2>&-", "<&- >&- 2>&-", "<&- 2>&-"}) {
        CAPTURE(closed);
        const bool without_output = std::string_view(closed).find(">&- 2") != std::string_view::npos;
        CHECK(run_shell(run + " " + closed).exit_code == (without_output ? 1 : 0));  // the summary is lost
        CHECK(read_bytes(folder / "out.gguf") == expected);
    }
}

#ifndef GGUFKIT_SANITIZED  // sanitizers need all of the address space
TEST_CASE("out of memory, in whichever thread: a message, the exit code of a failure, and nothing is left behind") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    for (int i = 0; i < 8; ++i) model.tensor("large." + std::to_string(i) + ".weight", TensorType::F16, {4096, 256});
    const std::string source = model.save(folder / "in.gguf");
    model.tensors.back().bytes[4] ^= std::byte{1};
    const std::string other = model.save(folder / "other.gguf");
    const std::string packed = folder / "in.gguf.zst";
    REQUIRE(run_tool("gguf-requant", {source, packed, "COPY"}).exit_code == 0);
    fs::create_directory(folder / "work");
    const std::pair<std::string, int> commands[] = {
        {"gguf-requant ../in.gguf - Q4_0 --threads 8", 1},
        {"gguf-requant ../in.gguf out.gguf.zst Q4_0 --threads 8", 1},
        {"gguf-requant ../in.gguf.zst - COPY --threads 8", 1},
        {"gguf-requant ../in.gguf out.gguf Q4_0 --threads 8", 1},
        {"gguf-diff ../in.gguf ../other.gguf --patch out.ggufpatch --threads 8", 2},
        {"gguf-info ../in.gguf --stats --threads 8", 1},
    };
    int failed = 0;
    for (const auto& [command, failure] : commands) {
        CAPTURE(command);
        int done = 0;
        for (int kib = 40'000; kib <= 200'000; kib += 8'000) {
            CAPTURE(kib);
            const CommandResult result = run_shell("cd '" + (folder / "work") + "' && ulimit -v " +
                                                   std::to_string(kib) + " && \"$BIN\"/" + command + " > /dev/null");
            if (result.exit_code == 127) continue;  // too little for the loader
            CAPTURE(result.err);
            CHECK((result.exit_code == 0 || result.exit_code == failure));
            CHECK(result.err.find("bad_alloc") == result.err.npos);
            CHECK((result.exit_code == 0 || !result.err.empty()));
            ++(result.exit_code == 0 ? done : failed);
            for (const auto& left : fs::directory_iterator(folder / "work")) {
                CAPTURE(left.path().string());
                CHECK(result.exit_code == 0);
                fs::remove(left);
            }
        }
        CHECK(done > 0);
    }
    CHECK(failed > 0);
}
#endif
