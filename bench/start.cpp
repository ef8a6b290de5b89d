// How long a program takes from its start to its end, again and again: best and median milliseconds, on one line.
//   bench-start REPEATS COMMAND ARGUMENT...
// What it prints is thrown away. Its files are in the page cache from the second run on.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <vector>

int main(int argc, char** argv) {
    const int repeats = argc > 2 ? std::atoi(argv[1]) : 0;
    if (repeats <= 0) {
        fmt::print(stderr, "usage: bench-start REPEATS COMMAND ARGUMENT...\n");
        return 2;
    }
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    std::vector<double> milliseconds;
    for (int i = 0; i < repeats; ++i) {
        using Clock = std::chrono::steady_clock;
        const auto start = Clock::now();
        pid_t child = 0;
        int status = 0;
        if (::posix_spawnp(&child, argv[2], &actions, nullptr, argv + 2, environ) != 0) return 2;
        if (::waitpid(child, &status, 0) != child || status != 0) return 1;
        milliseconds.push_back(std::chrono::duration<double, std::milli>(Clock::now() - start).count());
    }
    std::ranges::sort(milliseconds);
    fmt::print("best {:.1f} ms   median {:.1f} ms\n", milliseconds.front(), milliseconds[milliseconds.size() / 2]);
    return 0;
}
