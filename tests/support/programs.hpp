// Programs run by tests: ours as a user would run them, and others that a machine may lack.
#pragma once

#include <boost/json/fwd.hpp>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
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

// The path of one of ours: "gguf-info".
std::string program(std::string_view name);

// Runs one of ours. Its standard output goes into a pipe; lines are `columns` wide, or as in a plain pipe where that is 0.
CommandResult run_tool(std::string_view name, std::vector<std::string> arguments, int columns = 80,
                       std::vector<std::string> environment = {});

// Runs a script in a shell, where standard output may go anywhere: "\"$BIN/gguf-info\" x > /dev/full".
CommandResult run_shell(const std::string& script);

// What --json prints. Who looks into it includes <boost/json.hpp>.
boost::json::object json_of(const CommandResult& result);
std::string text_of(const boost::json::value& value);

bool have_program(const std::string& name);

// Ends the process with 77, which ctest reports as skipped, where the machine has no such program.
void require_program(const std::string& name);

}  // namespace ggufkit::test
