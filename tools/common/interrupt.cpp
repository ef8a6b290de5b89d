#include "common/interrupt.hpp"

#include <pthread.h>

#include <system_error>

namespace ggufkit::tool {

namespace {

bool ignored(int signal) {
    struct sigaction action {};
    return ::sigaction(signal, nullptr, &action) == 0 && action.sa_handler == SIG_IGN;
}

}  // namespace

Interrupt::Interrupt() {
    ::sigemptyset(&watched_);
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
        if (!ignored(signal)) ::sigaddset(&watched_, signal);
    }
    ::sigaddset(&watched_, SIGUSR1);  // ours: ends the watcher
    ::pthread_sigmask(SIG_BLOCK, &watched_, &before_);
    try {
        watcher_ = std::jthread([this](const std::stop_token& ended) {
            int signal = 0;
            while (!ended.stop_requested() && ::sigwait(&watched_, &signal) == 0) {
                if (signal != SIGUSR1) source_.request_stop();
            }
        });
    } catch (const std::system_error&) {  // no more threads: the signals end the process, as without this object
        ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    }
}

Interrupt::~Interrupt() {
    if (!watcher_.joinable()) return;
    watcher_.request_stop();
    ::pthread_kill(watcher_.native_handle(), SIGUSR1);
    watcher_.join();
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

}  // namespace ggufkit::tool
