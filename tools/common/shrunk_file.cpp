#include "common/shrunk_file.hpp"

#include <unistd.h>

#include <csignal>
#include <string>

#include "io/leftover.hpp"

namespace ggufkit::tool {

namespace {

// What the handler needs, made beforehand: within it nothing may be allocated.
std::string& message() {
    static std::string text;
    return text;
}
int exit_code = 1;

void explain(int /*signal*/) {
    io::remove_leftovers();
    const std::string& text = message();
    [[maybe_unused]] const ssize_t written = ::write(STDERR_FILENO, text.data(), text.size());
    ::_exit(exit_code);
}

}  // namespace

void explain_shrunk_files(std::string_view tool, int code) {
    message() = std::string(tool) + ": a file became shorter, or could not be read, while it was looked at\n";
    exit_code = code;
    struct sigaction action {};
    action.sa_handler = explain;
    ::sigaction(SIGBUS, &action, nullptr);
}

}  // namespace ggufkit::tool
