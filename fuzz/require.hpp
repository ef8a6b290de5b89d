// What a fuzz target does about a promise that was not kept: words, and an end that the fuzzer sees.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <ggufkit/error.hpp>
#include <string>
#include <utility>

namespace ggufkit::fuzz {

[[noreturn]] inline void report(const std::string& what) {
    std::fprintf(stderr, "%s\n", what.c_str());
    std::abort();
}

template <class T>
T require(Result<T> result, const char* step) {
    if (!result) report(std::string(step) + ": " + result.error().message());
    return *std::move(result);
}

}  // namespace ggufkit::fuzz
