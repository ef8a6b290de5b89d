// bench-run_timed COMMAND ARGUMENT...: runs a command and prints what it took, on one line:
//   wall 12.345 s  user 20.123 s  sys 1.234 s  peak-anon 23.4 MiB  exit 0
// Peak-anon is memory that is the program's own (RssAnon, looked at every few milliseconds): pages of mapped files are
// the kernel's to take back and are not in it. What the command prints goes to standard error. Exits as it does.
#include <fmt/format.h>
#include <spawn.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <string>
#include <thread>

namespace {

double seconds(const timeval& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

// RssAnon of a process in KiB; 0 when it has none any more.
unsigned long anonymous_kib(pid_t pid) {
    std::ifstream status(fmt::format("/proc/{}/status", pid));
    for (std::string word; status >> word;) {
        unsigned long kib = 0;
        if (word == "RssAnon:" && status >> kib) return kib;
    }
    return 0;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) {
        fmt::print(stderr, "usage: {} COMMAND [ARGUMENT...]\n", argv[0]);
        return 2;
    }
    using Clock = std::chrono::steady_clock;
    const auto start = Clock::now();
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, STDOUT_FILENO);
    pid_t child = 0;
    if (const int error = ::posix_spawnp(&child, argv[1], &actions, nullptr, argv + 1, environ); error != 0) {
        fmt::print(stderr, "cannot run {}: error {}\n", argv[1], error);
        return 2;
    }

    unsigned long peak_kib = 0;
    int status = 0;
    rusage usage{};
    while (::wait4(child, &status, WNOHANG, &usage) == 0) {
        peak_kib = std::max(peak_kib, anonymous_kib(child));
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    const std::chrono::duration<double> wall = Clock::now() - start;
    const int exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    fmt::print("wall {:.3f} s  user {:.3f} s  sys {:.3f} s  peak-anon {:.1f} MiB  exit {}\n", wall.count(),
               seconds(usage.ru_utime), seconds(usage.ru_stime), static_cast<double>(peak_kib) / 1024, exit_code);
    return exit_code;
}
