// What main() does in all three tools.
#pragma once

#include <string_view>

namespace ggufkit::tool {

// Returns program(argc, argv), or `failure` after a message if that throws. `tool` begins the message. From here on no
// harm comes from standard streams that the parent closed, or from pipes that have lost their reader.
int run_program(std::string_view tool, int failure, int (*program)(int, char**), int argc, char** argv) noexcept;

}  // namespace ggufkit::tool
