#include "io/leftover.hpp"

#include <unistd.h>

#include <atomic>

namespace ggufkit::io {

namespace {

// Not a mutex: those may not be locked in a signal handler. Nothing that is done under it can raise a signal.
std::atomic_flag busy;
Leftover* first = nullptr;

class Hold {
  public:
    Hold() {
        while (busy.test_and_set(std::memory_order_acquire)) {
        }
    }
    Hold(const Hold&) = delete;
    Hold& operator=(const Hold&) = delete;
    ~Hold() { busy.clear(std::memory_order_release); }
};

}  // namespace

Leftover::Leftover(int folder, const std::string& name) : folder_(folder), name_(name.c_str()) {
    const Hold hold;
    next_ = first;
    if (next_ != nullptr) next_->before_ = this;
    first = this;
}

Leftover::~Leftover() {
    const Hold hold;
    (before_ == nullptr ? first : before_->next_) = next_;
    if (next_ != nullptr) next_->before_ = before_;
}

void remove_leftovers() noexcept {
    const Hold hold;
    for (const Leftover* file = first; file != nullptr; file = file->next_) ::unlinkat(file->folder_, file->name_, 0);
}

}  // namespace ggufkit::io
