// std::bad_alloc as an error value.
#pragma once

#include <ggufkit/error.hpp>
#include <new>
#include <stdexcept>

namespace ggufkit {

// Allocates nothing: the text fits into the string object.
inline Error no_memory() { return {.code = Errc::no_memory, .detail = "out of memory"}; }

// Returns work(), which returns some Result, or no_memory() if it cannot allocate. Other exceptions pass.
template <class Work>
auto or_no_memory(Work&& work) -> decltype(work()) {
    try {
        return work();
    } catch (const std::bad_alloc&) {
        return fail(no_memory());
    } catch (const std::length_error&) {  // more than any container can hold
        return fail(no_memory());
    }
}

}  // namespace ggufkit
