#include "support/programs.hpp"

#include <fcntl.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <stdexcept>
#include <utility>

#include <boost/json.hpp>

namespace ggufkit::test {

namespace {

struct Pipe {
    std::array<int, 2> ends{-1, -1};
    Pipe() {
        if (pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2");
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    ~Pipe() {
        close_end(0);
        close_end(1);
    }
    void close_end(std::size_t which) {
        if (ends[which] >= 0) ::close(ends[which]);
        ends[which] = -1;
    }
};

std::vector<char*> as_argv(std::vector<std::string>& strings) {
    std::vector<char*> pointers;
    for (auto& s : strings) pointers.push_back(s.data());
    pointers.push_back(nullptr);
    return pointers;
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& arguments, std::span<const std::byte> input,
                          const std::vector<std::string>& environment) {
    std::signal(SIGPIPE, SIG_IGN);  // a child may stop reading its input early
    Pipe in, out, err;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, in.ends[0], 0);
    posix_spawn_file_actions_adddup2(&actions, out.ends[1], 1);
    posix_spawn_file_actions_adddup2(&actions, err.ends[1], 2);
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    sigset_t defaults;  // an ignored SIGPIPE would be inherited
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);

    std::vector<std::string> args = arguments, env;
    for (char** e = environ; *e != nullptr; ++e) env.emplace_back(*e);
    env.insert(env.begin(), environment.begin(),
               environment.end());  // the first of equal names is the one getenv finds
    auto argv = as_argv(args), envp = as_argv(env);
    pid_t child = -1;
    const int spawned = posix_spawnp(&child, argv[0], &actions, &attributes, argv.data(), envp.data());
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    CommandResult result;
    if (spawned != 0) {
        result.exit_code = 127;
        result.err = "cannot start " + arguments.front();
        return result;
    }
    in.close_end(0);
    out.close_end(1);
    err.close_end(1);
    if (input.empty())
        in.close_end(1);
    else
        fcntl(in.ends[1], F_SETFL, O_NONBLOCK);

    std::array<char, 1 << 16> buffer{};
    while (out.ends[0] >= 0 || err.ends[0] >= 0) {
        std::array<pollfd, 3> fds{pollfd{out.ends[0], POLLIN, 0}, pollfd{err.ends[0], POLLIN, 0},
                                  pollfd{in.ends[1], POLLOUT, 0}};
        if (poll(fds.data(), fds.size(), -1) < 0 && errno != EINTR) break;
        if (fds[2].revents != 0) {
            const ssize_t n = ::write(in.ends[1], input.data(), input.size());
            if (n > 0) input = input.subspan(static_cast<std::size_t>(n));
            if (input.empty() || (n < 0 && errno != EAGAIN && errno != EINTR)) in.close_end(1);
        }
        if (fds[0].revents != 0) {
            const ssize_t n = ::read(out.ends[0], buffer.data(), buffer.size());
            const auto* bytes = reinterpret_cast<const std::byte*>(buffer.data());
            if (n > 0)
                result.out.insert(result.out.end(), bytes, bytes + n);
            else if (n == 0 || errno != EINTR)
                out.close_end(0);
        }
        if (fds[1].revents != 0) {
            const ssize_t n = ::read(err.ends[0], buffer.data(), buffer.size());
            if (n > 0)
                result.err.append(buffer.data(), static_cast<std::size_t>(n));
            else if (n == 0 || errno != EINTR)
                err.close_end(0);
        }
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    return result;
}

std::string program(std::string_view name) { return std::string(GGUFKIT_BIN_DIR) + "/" + std::string(name); }

CommandResult run_tool(std::string_view name, std::vector<std::string> arguments, int columns,
                       std::vector<std::string> environment) {
    arguments.insert(arguments.begin(), program(name));
    environment.push_back("COLUMNS=" + (columns == 0 ? "" : std::to_string(columns)));
    environment.insert(environment.end(), {"TERM=xterm", "NO_COLOR="});
    return run_command(arguments, {}, environment);
}

CommandResult run_shell(const std::string& script) {
    const std::string setting = "unset NO_COLOR COLUMNS; export TERM=xterm BIN='" GGUFKIT_BIN_DIR "'; ";
    return run_command({"/bin/sh", "-c", setting + script});
}

boost::json::object json_of(const CommandResult& result) { return boost::json::parse(result.text()).as_object(); }

std::string text_of(const boost::json::value& value) { return boost::json::value_to<std::string>(value); }

bool have_program(const std::string& name) {
    return run_command({"/bin/sh", "-c", "command -v " + name}).exit_code == 0;
}

void require_program(const std::string& name) {
    if (have_program(name)) return;
    std::fprintf(stderr, "SKIPPED: needs %s, which is not here\n", name.c_str());
    std::_Exit(77);
}

}  // namespace ggufkit::test
