// Standard error as it is: what cannot be written is dropped.
#pragma once

#include <string_view>

namespace ggufkit::tool {

// Writes all of `text` to a descriptor, also if someone made it non-blocking. The errno that ended it, or 0.
int write_stream(int fd, std::string_view text) noexcept;

// Writes `text` to standard error. What cannot be written (a full disk, a closed stream, a pipe that has lost its reader)
// is dropped: a message changes neither the work nor the exit code.
void print_message(std::string_view text) noexcept;

}  // namespace ggufkit::tool
