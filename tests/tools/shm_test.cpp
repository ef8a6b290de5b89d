// gguf-requant --shm and --shm-remove, run as a user would, by several processes at once, and killed.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <ggufkit/model.hpp>
#include <ggufkit/writer.hpp>
#include <set>
#include <thread>

#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/programs.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

const std::string tiny = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";

CommandResult requant(std::vector<std::string> arguments) { return run_tool("gguf-requant", std::move(arguments)); }

// A name that no other test has; removed with rm, as --help says one can.
struct SharedName {
    std::string name = "ggufkit-tool-" + std::to_string(::getpid());
    std::string path = "/dev/shm/" + name;
    SharedName() = default;
    SharedName(const SharedName&) = delete;
    SharedName& operator=(const SharedName&) = delete;
    ~SharedName() {
        for (const auto& file : files()) fs::remove("/dev/shm/" + file);
    }
    std::set<std::string> files() const {
        std::set<std::string> found;
        for (const auto& entry : fs::directory_iterator("/dev/shm")) {
            if (entry.path().filename().string().starts_with(name)) found.insert(entry.path().filename());
        }
        return found;
    }
};

// Zeros that take a while to convert, 256 MiB of them.
void write_slow_model(const std::string& path) {
    HeaderModel model("llama");
    for (int i = 0; i < 8; ++i) model.matrix(fmt::format("blk.{}.ffn_up.weight", i), {4096, 4096});
    model.save(path);
}

pid_t start(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), program("gguf-requant"));
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
        posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", O_WRONLY, 0);
    }
    pid_t child = 0;
    REQUIRE(::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    return child;
}

int status_of(pid_t child) {
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

}  // namespace

TEST_CASE("--shm: makes the file that goes to disk otherwise, finds it again, and --shm-remove takes it away") {
    const TemporaryFolder folder;
    const SharedName shared;
    REQUIRE(requant({tiny, folder / "out.gguf", "Q4_K_M"}).exit_code == 0);
    const CommandResult made = requant({tiny, "Q4_K_M", "--shm", shared.name});
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    CHECK(made.text().starts_with(shared.path + ": 3.03 MiB (3,178,720 bytes), 4.80 bits a weight\n"));
    CHECK(read_text(shared.path) == read_text(folder / "out.gguf"));
    CHECK(run_tool("gguf-info", {shared.path, "--check"}).exit_code == 0);

    const CommandResult found = requant({tiny, "Q4_K_M", "--shm", shared.name});
    CHECK(found.exit_code == 0);
    CHECK(found.text() == shared.path + " is there already, made of the same input in the same way\n");
    CHECK(json_of(requant({tiny, "Q4_K_M", "--shm", shared.name, "--json"})).at("seconds").is_null());

    const CommandResult other = requant({tiny, "Q5_K_M", "--shm", shared.name});
    CHECK(other.exit_code == 1);
    CHECK(other.err == "gguf-requant: " + shared.path +
                           ": exists already, of another plan or another input; --force replaces a finished file\n");
    CHECK(read_text(shared.path) == read_text(folder / "out.gguf"));
    const json::object forced = json_of(requant({tiny, "Q5_K_M", "--shm", shared.name, "--force", "--json"}));
    CHECK(text_of(forced.at("output")) == shared.path);
    CHECK(forced.at("seconds").is_double());
    CHECK(fs::file_size(shared.path) == static_cast<std::uint64_t>(forced.at("bytes_out").as_int64()));

    const CommandResult removed = requant({"--shm-remove", shared.name});
    CHECK(removed.exit_code == 0);
    CHECK(removed.text().empty());
    CHECK(shared.files().empty());
    const CommandResult again = requant({"--shm-remove", shared.name});
    CHECK(again.exit_code == 1);
    CHECK(again.err == "gguf-requant: " + shared.path + ": is nothing that was made here\n");
}

TEST_CASE("--shm: a plan is shown without making it, and what makes no sense is misuse") {
    const SharedName shared;
    const CommandResult shown = requant({tiny, "Q4_K_M", "--shm", shared.name, "--dry-run"});
    CHECK(shown.exit_code == 0);
    CHECK(shown.text().find(shared.path + ": 3.03 MiB") != std::string::npos);
    CHECK(shared.files().empty());
    const std::vector<std::string> misuses[] = {{tiny, "out.gguf", "Q4_K_M", "--shm", shared.name},
                                                {tiny, "Q4_K_M", "--shm", "a/b"},
                                                {tiny, "Q4_K_M", "--shm", ""},
                                                {"--shm-remove", "a/b"},
                                                {"--shm-remove", ""},
                                                {tiny, "Q4_K_M", "--shm-remove", shared.name}};
    for (const auto& arguments : misuses) {
        const CommandResult result = requant(arguments);
        CAPTURE(result.err);
        CHECK(result.exit_code == 2);
        CHECK(result.err.ends_with("Try 'gguf-requant --help'.\n"));
        CHECK(result.text().empty());
    }
    CHECK(shared.files().empty());
}

TEST_CASE("--shm: several processes share one copy, and one that is killed leaves its work to the next") {
    const TemporaryFolder folder;
    const SharedName shared;
    const std::string input = folder / "slow.gguf";
    write_slow_model(input);
    const std::vector<std::string> arguments{input, "Q5_K_M", "--shm", shared.name};
    const auto ready = [&] {  // pieces, by the bytes of the segment
        if (!fs::exists(shared.path + ".ggufkit")) return std::ptrdiff_t{0};
        const std::string segment = read_text(shared.path + ".ggufkit");
        return segment.size() < 80 ? 0 : std::count(segment.begin() + 80, segment.end(), '\1');
    };
    std::ptrdiff_t before = 0;
    for (int killed = 0; killed < 3; ++killed) {
        const pid_t filler = start(arguments);
        while (ready() < before + 20 && ::waitpid(filler, nullptr, WNOHANG) == 0) {
            std::this_thread::sleep_for(std::chrono::milliseconds(1));
        }
        ::kill(filler, SIGKILL);
        CHECK(WIFSIGNALED(status_of(filler)));
        CHECK_FALSE(fs::exists(shared.path));
        CHECK(ready() >= before + 20);  // it went on where the one before it had died
        before = ready();
    }
    std::vector<pid_t> together;
    for (int i = 0; i < 3; ++i) together.push_back(start(arguments));
    for (const pid_t process : together) CHECK(status_of(process) == 0);
    REQUIRE(requant({input, folder / "out.gguf", "Q5_K_M"}).exit_code == 0);
    CHECK(read_text(shared.path) == read_text(folder / "out.gguf"));
}

TEST_CASE("--shm: cancelled work leaves nothing behind and exits with 130") {
    const TemporaryFolder folder;
    const SharedName shared;
    write_slow_model(folder / "slow.gguf");
    const pid_t filler = start({folder / "slow.gguf", "Q5_K_M", "--shm", shared.name});
    while (!fs::exists(shared.path + ".ggufkit-partial")) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    ::kill(filler, SIGINT);
    const int status = status_of(filler);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 130);
    CHECK(shared.files().empty());
}
