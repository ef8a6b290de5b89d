// The reference implementations, as tests/reference/setup.sh installs them, asked through their command lines.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "support/programs.hpp"

namespace ggufkit::test {

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
