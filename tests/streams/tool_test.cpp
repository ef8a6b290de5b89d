// The programs with standard input, standard output and compressed files.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>

#include "streams/frames.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;

namespace {

const std::string model = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";

// With the model as $M, in a folder of its own.
CommandResult shell(const TemporaryFolder& folder, const std::string& script) {
    return run_shell("export PATH=\"$BIN:$PATH\" M='" + model + "'; cd '" + folder.path().string() + "'; " + script);
}

// The exit code of a program whose standard stream `fd` is a terminal.
int exit_on_terminal(std::vector<std::string> arguments, int fd) {
    const int terminal = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(terminal >= 0);
    REQUIRE(::grantpt(terminal) == 0);
    REQUIRE(::unlockpt(terminal) == 0);
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, fd, ::ptsname(terminal), O_RDWR | O_NOCTTY, 0);
    for (const int other : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (other != fd) ::posix_spawn_file_actions_addopen(&actions, other, "/dev/null", O_RDWR, 0);
    }
    arguments[0] = program(arguments[0]);
    std::vector<char*> argv;
    for (std::string& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t child = 0;
    REQUIRE(::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ) == 0);
    int status = 0;
    ::waitpid(child, &status, 0);
    ::posix_spawn_file_actions_destroy(&actions);
    ::close(terminal);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

}  // namespace

TEST_CASE("OUTPUT - is the file's bytes and nothing else, INPUT - is read from a pipe or a file") {
    const TemporaryFolder folder;
    const CommandResult made = shell(folder, "gguf-requant $M out.gguf Q4_K_M");
    REQUIRE(made.exit_code == 0);
    const Content file = read_bytes(folder / "out.gguf");
    for (const char* script :
         {"gguf-requant $M - Q4_K_M", "gguf-requant $M - Q4_K_M 3 | cat", "cat $M | gguf-requant - - Q4_K_M",
          "gguf-requant - - Q4_K_M < $M", "gguf-requant $M - Q4_K_M --zstd-level 1 | gguf-requant - - COPY"}) {
        CAPTURE(script);
        const CommandResult result = shell(folder, script);
        CHECK(result.exit_code == 0);
        CHECK(result.err == "");
        CHECK(result.out == file);
    }
    const CommandResult level = shell(folder, "gguf-requant $M - Q4_K_M --zstd-level 1");
    CHECK(content_of(level.out) == file);
    const CommandResult named = shell(folder, "cat $M | gguf-requant - named.gguf Q4_K_M");
    CHECK(named.exit_code == 0);
    CHECK(read_bytes(folder / "named.gguf") == file);
}

TEST_CASE("NAME.gguf.zst as output and input, and the names made from it") {
    const TemporaryFolder folder;
    const CommandResult made = shell(folder, "gguf-requant $M m-Q4_K_M.gguf.zst Q4_K_M");
    CHECK(made.exit_code == 0);
    CHECK(made.text().find("\ncompressed to ") != std::string::npos);
    REQUIRE(shell(folder, "gguf-requant $M m.gguf Q4_K_M").exit_code == 0);
    CHECK(content_of(read_bytes(folder / "m-Q4_K_M.gguf.zst")) == read_bytes(folder / "m.gguf"));

    CHECK(shell(folder, "gguf-diff m.gguf m-Q4_K_M.gguf.zst").exit_code == 0);
    CHECK(shell(folder, "gguf-diff - m.gguf < m-Q4_K_M.gguf.zst").exit_code == 0);
    CHECK(shell(folder, "gguf-requant m-Q4_K_M.gguf.zst Q8_0").exit_code == 0);  // m-Q8_0.gguf
    CHECK(shell(folder, "gguf-requant m.gguf m-again.gguf Q8_0; cmp m-again.gguf m-Q8_0.gguf").exit_code == 0);

    const CommandResult report = shell(folder, "gguf-requant $M x.zst Q4_K_M --json --zstd-level 19");
    CHECK(json_of(report).at("compressed_bytes").to_number<std::uint64_t>() == fs::file_size(folder / "x.zst"));
    CHECK(json_of(report).at("bytes_out").to_number<std::uint64_t>() == fs::file_size(folder / "m.gguf"));
    CHECK(read_bytes(folder / "x.zst") != read_bytes(folder / "m-Q4_K_M.gguf.zst"));
    CHECK(json_of(shell(folder, "gguf-requant $M y.gguf Q4_K_M --json")).at("compressed_bytes").is_null());
    CHECK(json_of(shell(folder, "gguf-requant $M y.zst Q4_K_M --json --dry-run")).at("compressed_bytes").is_null());
}

TEST_CASE("a compressed input is not replaced by what is made of it") {
    const TemporaryFolder folder;
    REQUIRE(shell(folder, "gguf-requant $M m.gguf.zst Q4_K_M && cp m.gguf.zst plain-name").exit_code == 0);
    for (const char* script :
         {"gguf-requant m.gguf.zst m.gguf.zst Q8_0 --force", "gguf-requant plain-name plain-name Q8_0 --force"}) {
        const CommandResult result = shell(folder, script);
        CHECK(result.exit_code == 1);
        CHECK(result.err.find("is an input of the same command") != std::string::npos);
    }
    CHECK(read_bytes(folder / "m.gguf.zst") == read_bytes(folder / "plain-name"));
}

TEST_CASE("gguf-info and gguf-diff read standard input") {
    const TemporaryFolder folder;
    for (const char* script : {"cat $M | gguf-info -", "gguf-info - < $M"}) {
        const CommandResult result = shell(folder, script);
        CHECK(result.exit_code == 0);
        CHECK(result.text().starts_with("standard input\n"));
        CHECK(result.text().find("Tiny Llama") != std::string::npos);
    }
    CHECK(shell(folder, "cat $M | gguf-diff $M -").exit_code == 0);
    CHECK(shell(folder, "cat $M | gguf-info - --check").exit_code == 0);
    const CommandResult both = shell(folder, "gguf-diff - - < $M");
    CHECK(both.exit_code == 2);
    CHECK(both.err.find("only one of the models") != std::string::npos);
    const CommandResult zeros = shell(folder, "gguf-info - < /dev/zero");
    CHECK(zeros.exit_code == 1);
    CHECK(zeros.err.find("standard input: magic @0x0: BAD_MAGIC") != std::string::npos);
    const CommandResult nothing = shell(folder, "gguf-info - --json < /dev/null");
    CHECK(nothing.exit_code == 1);
    CHECK(json_of(nothing).at("diagnostics").as_array().size() == 1);
}

TEST_CASE("a damaged compressed model is an error that names file, place and kind") {
    const TemporaryFolder folder;
    REQUIRE(shell(folder, "gguf-requant $M m.gguf.zst Q4_K_M").exit_code == 0);
    Content file = read_bytes(folder / "m.gguf.zst");
    file[file.size() / 2] ^= std::byte{1};
    write_file(folder / "m.gguf.zst", file);
    for (const char* script : {"gguf-info m.gguf.zst --check --json", "gguf-info m.gguf.zst --check"}) {
        const CommandResult result = shell(folder, script);
        CHECK(result.exit_code == 1);
        CHECK((result.text() + result.err).find("BAD_ZSTD") != std::string::npos);
    }
    CHECK(shell(folder, "gguf-info m.gguf.zst").exit_code == 0);  // the header is sound
    const CommandResult requant = shell(folder, "gguf-requant m.gguf.zst Q8_0");
    CHECK(requant.exit_code == 1);
    CHECK(requant.err.starts_with("gguf-requant: m.gguf.zst @0x"));
    CHECK(shell(folder, "gguf-diff m.gguf.zst $M").exit_code == 2);
}

TEST_CASE("a reader that leaves, a full disk") {
    const TemporaryFolder folder;
    const CommandResult left =
        shell(folder, "{ gguf-requant $M - F16; echo $? > code; } | head -c 10 > /dev/null; cat code");
    CHECK(left.text() == "1\n");
    CHECK(left.err == "gguf-requant: standard output: was closed by its reader before the end\n");
    const CommandResult full = shell(folder, "gguf-requant $M - Q4_K_M > /dev/full");
    CHECK(full.exit_code == 1);
    CHECK(full.err == "gguf-requant: standard output: cannot be written: No space left on device\n");
}

TEST_CASE("what streams cannot be is misuse") {
    const TemporaryFolder folder;
    for (const char* script :
         {"gguf-requant $M - Q4_K_M --json", "gguf-requant - Q4_K_M < $M",
          "gguf-requant $M x.gguf Q4_K_M --zstd-level 3", "gguf-requant $M x.zst Q4_K_M --zstd-level 0",
          "gguf-requant $M x.zst Q4_K_M --zstd-level 20", "gguf-requant $M x.zst Q4_K_M --zstd-level much"}) {
        CAPTURE(script);
        const CommandResult result = shell(folder, script);
        CHECK(result.exit_code == 2);
        CHECK(result.text() == "");
    }
    CHECK(fs::is_empty(folder.path()));
    CHECK(shell(folder, "gguf-requant $M - Q4_K_M --json --dry-run").exit_code == 0);
    CHECK(exit_on_terminal({"gguf-requant", model, "-", "Q4_K_M"}, STDOUT_FILENO) == 2);
    CHECK(exit_on_terminal({"gguf-info", "-"}, STDIN_FILENO) == 1);
    CHECK(exit_on_terminal({"gguf-info", model}, STDIN_FILENO) == 0);
}
