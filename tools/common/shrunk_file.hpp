// A file that becomes shorter while it is looked at through its mapping: reading past its new end raises SIGBUS.
#pragma once

#include <string_view>

namespace ggufkit::tool {

// From now on such a read ends the program with a message and `code`, instead of by the signal, and unfinished
// outputs are removed (io/leftover.hpp). `tool` begins the message. Once a program.
void explain_shrunk_files(std::string_view tool, int code);

}  // namespace ggufkit::tool
