// The built programs, run as a user would.
#pragma once

#include <boost/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "support/oracle.hpp"

namespace ggufkit::test {

inline std::string program(std::string_view name) { return std::string(GGUFKIT_BIN_DIR) + "/" + std::string(name); }

// Standard output goes into a pipe; lines are `columns` wide, or as in a plain pipe where that is 0.
inline CommandResult run_tool(std::string_view name, std::vector<std::string> arguments, int columns = 80,
                              std::vector<std::string> environment = {}) {
    arguments.insert(arguments.begin(), program(name));
    environment.push_back("COLUMNS=" + (columns == 0 ? "" : std::to_string(columns)));
    environment.insert(environment.end(), {"TERM=xterm", "NO_COLOR="});
    return run_command(arguments, {}, environment);
}

// In a shell, where standard output may go anywhere: "\"$BIN/gguf-info\" x > /dev/full".
inline CommandResult run_shell(const std::string& script) {
    const std::string setting = "unset NO_COLOR COLUMNS; export TERM=xterm BIN='" GGUFKIT_BIN_DIR "'; ";
    return run_command({"/bin/sh", "-c", setting + script});
}

inline boost::json::object json_of(const CommandResult& result) {
    return boost::json::parse(result.text()).as_object();
}

inline std::string text_of(const boost::json::value& value) { return boost::json::value_to<std::string>(value); }

}  // namespace ggufkit::test
