// The reference implementations, as tests/reference/setup.sh installs them, asked through their command lines.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace ggufkit::test {

struct CommandResult {
    int exit_code = -1;  // 128 + signal where one ended it
    std::vector<std::byte> out;
    std::string err;
    std::string text() const { return {reinterpret_cast<const char*>(out.data()), out.size()}; }
};

// Runs a program (no shell) with `input` as its standard input and collects what it prints. `environment` is added to
// ours.
CommandResult run_command(const std::vector<std::string>& arguments, std::span<const std::byte> input = {},
                          const std::vector<std::string>& environment = {});

// The folder that setup.sh filled ($GGUFKIT_PEER), or nothing. A test that needs it starts with REQUIRE_REFERENCE().
std::optional<std::string> reference_dir();

// llama-oracle with these arguments.
CommandResult oracle(std::vector<std::string> arguments, std::span<const std::byte> input = {});

// llama-kld with these arguments.
CommandResult judge(std::vector<std::string> arguments);

// llama-generate with these arguments.
CommandResult generate(std::vector<std::string> arguments);

// A script of the reference set-up run by node: hf_dump.mjs.
CommandResult node_script(const std::string& script, std::vector<std::string> arguments);

// Ends the process with 77, which ctest reports as skipped; fails instead where CI is set, since CI always has the
// reference.
[[noreturn]] void skip_without_reference();

}  // namespace ggufkit::test

#define REQUIRE_REFERENCE() \
    if (!ggufkit::test::reference_dir()) ggufkit::test::skip_without_reference()
