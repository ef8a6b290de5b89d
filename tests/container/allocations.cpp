#include "container/allocations.hpp"

#include <malloc.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <new>

namespace {

// Atomic because libraries may start threads; relaxed because only what the watching thread does is of interest.
std::atomic<std::size_t> live{0};
std::atomic<std::size_t> highest{0};
std::atomic<std::size_t> allocated{0};

void* allocate(std::size_t size) noexcept {
    void* const memory = std::malloc(std::max<std::size_t>(size, 1));
    if (!memory) return nullptr;
    const std::size_t usable = malloc_usable_size(memory);
    const std::size_t now = live.fetch_add(usable, std::memory_order_relaxed) + usable;
    if (now > highest.load(std::memory_order_relaxed)) highest.store(now, std::memory_order_relaxed);
    allocated.fetch_add(1, std::memory_order_relaxed);
    return memory;
}

void* allocate_or_throw(std::size_t size) {
    if (void* const memory = allocate(size)) return memory;
    throw std::bad_alloc();
}

void release(void* memory) noexcept {
    if (!memory) return;
    live.fetch_sub(malloc_usable_size(memory), std::memory_order_relaxed);
    std::free(memory);
}

}  // namespace

// The whole family, so that a sanitizer's own never frees what one of these allocated.
void* operator new(std::size_t size) { return allocate_or_throw(size); }
void* operator new[](std::size_t size) { return allocate_or_throw(size); }
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* memory) noexcept { release(memory); }
void operator delete[](void* memory) noexcept { release(memory); }
void operator delete(void* memory, std::size_t) noexcept { release(memory); }
void operator delete[](void* memory, std::size_t) noexcept { release(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { release(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { release(memory); }

namespace ggufkit::test {

HeapWatch::HeapWatch() : bytes_at_start_(live), calls_at_start_(allocated) { highest = bytes_at_start_; }
std::size_t HeapWatch::peak() const { return highest - bytes_at_start_; }
std::size_t HeapWatch::calls() const { return allocated - calls_at_start_; }

}  // namespace ggufkit::test
