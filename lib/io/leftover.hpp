// Unfinished files that must not outlive a process that ends without running destructors.
//
// A file that shrinks under its mapping ends the program in a signal handler: the handler calls remove_leftovers().
#pragma once

#include <string>

namespace ggufkit::io {

// While one lives, remove_leftovers() removes `name`, relative to the open folder `folder`. Borrows both.
class Leftover {
  public:
    Leftover(int folder, const std::string& name);
    Leftover(const Leftover&) = delete;
    Leftover& operator=(const Leftover&) = delete;
    ~Leftover();

  private:
    friend void remove_leftovers() noexcept;

    int folder_;
    const char* name_;
    Leftover* before_ = nullptr;
    Leftover* next_ = nullptr;
};

// For the last moment of a process. Safe in a handler of a signal that the thread itself caused, such as SIGBUS.
void remove_leftovers() noexcept;

}  // namespace ggufkit::io
