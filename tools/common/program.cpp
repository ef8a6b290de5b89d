#include "common/program.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <csignal>
#include <exception>
#include <new>
#include <stdexcept>

#include "common/message.hpp"
#include "core/no_memory.hpp"

namespace ggufkit::tool {

namespace {

// Otherwise the next file to be opened would get the number of a closed stream, and messages would be written into it.
// On these descriptors every read and write fails.
void replace_closed_streams() noexcept {
    for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
        if (::fcntl(fd, F_GETFD) >= 0) continue;
        static_cast<void>(::open("/", O_PATH));  // gets the lowest free number, which is `fd`, and stays open
    }
}

// Allocates nothing: there may be no memory left.
void print_last_message(std::string_view tool, std::string_view message) noexcept {
    for (const std::string_view part : {tool, std::string_view(": "), message, std::string_view("\n")}) {
        print_message(part);
    }
}

}  // namespace

int run_program(std::string_view tool, int failure, int (*program)(int, char**), int argc, char** argv) noexcept {
    replace_closed_streams();
    std::signal(SIGPIPE, SIG_IGN);  // a reader that leaves shows as EPIPE, which Console knows
    std::signal(SIGXFSZ, SIG_IGN);  // so does a file that may not grow so large, as EFBIG
    try {
        return program(argc, argv);
    } catch (const std::bad_alloc&) {
        print_last_message(tool, no_memory().detail);
    } catch (const std::length_error&) {  // more than any container can hold
        print_last_message(tool, no_memory().detail);
    } catch (const std::exception& fault) {
        print_last_message(tool, fault.what());
    } catch (...) {
        print_last_message(tool, "failed for an unknown reason");
    }
    return failure;
}

}  // namespace ggufkit::tool
