#include "reference/oracle.hpp"

#include <cstdio>
#include <cstdlib>
#include <utility>

namespace ggufkit::test {

std::optional<std::string> reference_dir() {
    const char* dir = std::getenv("GGUFKIT_PEER");
    if (dir == nullptr || *dir == 0 || std::getenv("LLAMA_BINS") == nullptr) return std::nullopt;
    return dir;
}

namespace {

CommandResult run_reference(const std::string& program, std::vector<std::string> arguments,
                            std::span<const std::byte> input = {}) {
    arguments.insert(arguments.begin(), *reference_dir() + "/" + program);
    return run_command(arguments, input);
}

}  // namespace

CommandResult oracle(std::vector<std::string> arguments, std::span<const std::byte> input) {
    return run_reference("llama-oracle", std::move(arguments), input);
}

CommandResult judge(std::vector<std::string> arguments) { return run_reference("llama-kld", std::move(arguments)); }

CommandResult generate(std::vector<std::string> arguments) {
    return run_reference("llama-generate", std::move(arguments));
}

CommandResult node_script(const std::string& script, std::vector<std::string> arguments) {
    // A script finds its modules from where it lies, which is why setup.sh copies the scripts into the reference
    // folder.
    arguments.insert(arguments.begin(), {"node", *reference_dir() + "/" + script});
    return run_command(arguments);
}

void skip_without_reference() {
    const bool required = std::getenv("CI") != nullptr;
    std::fputs(required ? "FAILED: the reference is not set up (tests/reference/setup.sh)\n"
                        : "SKIPPED: needs the reference; tests/reference/setup.sh installs it where npm is there\n",
               stderr);
    std::_Exit(required ? 1 : 77);
}

}  // namespace ggufkit::test
