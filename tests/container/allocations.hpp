// What this test program asks of the heap: global operator new and delete, replaced in allocations.cpp, keep count.
#pragma once

#include <cstddef>

namespace ggufkit::test {

// Counts from its construction on. Only one at a time.
class HeapWatch {
  public:
    HeapWatch();
    std::size_t peak() const;   // the most bytes held at once, beyond those held at the start
    std::size_t calls() const;  // allocations

  private:
    std::size_t bytes_at_start_;
    std::size_t calls_at_start_;
};

}  // namespace ggufkit::test
