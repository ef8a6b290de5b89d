// Passes errors on: returns the error of a Result, or of any tl::expected, out of the function that is at work.
//
//   Result<Header> read_header(int fd) {
//       TRY_LET(const std::uint64_t size, file_size(fd));
//       std::vector<std::byte> bytes(size);
//       TRY(read_at(fd, 0, bytes));
//       return parse(bytes);
//   }
//
// TRY takes a Result, whose value it drops. TRY_LET is a declaration and an expression for its value: two statements,
// so it needs braces after an `if`.
#pragma once

#include <tl/expected.hpp>
#include <utility>

#define TRY(...)                                                         \
    do {                                                                 \
        if (auto try_result = (__VA_ARGS__); !try_result) {              \
            return ::tl::make_unexpected(std::move(try_result).error()); \
        }                                                                \
    } while (false)

#define TRY_LET(declaration, ...) GGUFKIT_TRY_LET(GGUFKIT_JOIN(try_result_, __LINE__), declaration, (__VA_ARGS__))

// NOLINTBEGIN(bugprone-macro-parentheses): a declaration cannot have any.
#define GGUFKIT_TRY_LET(result, declaration, expression)                  \
    auto result = expression;                                             \
    if (!result) return ::tl::make_unexpected(std::move(result).error()); \
    declaration = *std::move(result)
// NOLINTEND(bugprone-macro-parentheses)

#define GGUFKIT_JOIN(a, b) GGUFKIT_JOIN_NOW(a, b)
#define GGUFKIT_JOIN_NOW(a, b) a##b
