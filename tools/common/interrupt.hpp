// Ctrl-C and a request to terminate as a stop token.
#pragma once

#include <csignal>
#include <stop_token>
#include <thread>

namespace ggufkit::tool {

// The exit code of a program that was asked to stop: that which a shell reports after Ctrl-C.
inline constexpr int cancelled = 130;

// While one lives, SIGINT, SIGTERM and SIGHUP ask for a stop instead of ending the process. Make it before any other
// thread: those inherit which signals are blocked. Signals that the parent chose to ignore stay ignored.
class Interrupt {
  public:
    Interrupt();
    Interrupt(const Interrupt&) = delete;
    Interrupt& operator=(const Interrupt&) = delete;
    ~Interrupt();

    std::stop_token token() const { return source_.get_token(); }

  private:
    std::stop_source source_;
    sigset_t watched_;
    sigset_t before_;
    std::jthread watcher_;  // waits for the signals, so that nothing has to be done within a handler
};

}  // namespace ggufkit::tool
