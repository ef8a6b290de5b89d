// What is wrong with a command line, in our words rather than the parser's.
#pragma once

#include <optional>
#include <string>

namespace CLI {
class App;
class ParseError;
}  // namespace CLI

namespace ggufkit::tool {

std::string message_of(const CLI::ParseError& fault, const CLI::App& app);

// What a script makes of a variable that is not set: `--threads ''`. Options whose value may be left out take it.
std::optional<std::string> empty_value(const CLI::App& app);

}  // namespace ggufkit::tool
