// The walk over strings by itself, held against the obvious loop: with any count, from any place, to any end. What a
// parsed file then says of its strings is tested in strings_test.cpp.
#include "container/strings.hpp"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <random>
#include <string>

#include "support/bytes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

using Random = std::mt19937_64;

// Versions 2 and 3 lay strings down alike.
constexpr std::array layouts{Encoding{ByteOrder::little, 1}, Encoding{ByteOrder::big, 1}, little_v3, big_v3};

constexpr std::uint64_t strings = 20'000;

bool skip_one_by_one(Cursor& in, std::uint64_t count) {
    for (; count != 0; --count) {
        Cursor next = in;
        std::uint64_t length = 0;
        if (!next.read_length(length) || !next.skip(length)) return false;
        in = next;
    }
    return true;
}

void expect_same(const Bytes& bytes, std::uint64_t count, std::size_t begin = 0) {
    CAPTURE(count);
    CAPTURE(begin);
    Cursor expected(bytes, bytes.encoding(), begin), in = expected;
    const bool complete = skip_one_by_one(expected, count);
    CHECK(container::skip_strings(in, count) == complete);
    CHECK(in.at() == expected.at());
}

// Strings of up to `longest` bytes that are at most `high`: 'z' is text, 1 looks like lengths.
Bytes lay_down(Encoding encoding, std::size_t longest, unsigned high) {
    Random random(longest + high);
    Bytes bytes(encoding);
    for (std::uint64_t i = 0; i < strings; ++i) {
        std::string text(random() % (longest + 1), ' ');
        for (char& c : text) c = static_cast<char>(random() % (high + 1));
        bytes.string(text);
    }
    return bytes;
}

template <class Test>
void with_strings(Test test) {
    for (const Encoding encoding : layouts) {
        for (const std::size_t longest : {0u, 20u, 300u}) {
            for (const unsigned high : {0u, 1u, 255u}) test(lay_down(encoding, longest, high));
        }
    }
}

}  // namespace

TEST_CASE("as many strings are passed over as were asked for") {
    with_strings([](const Bytes& bytes) {
        for (const std::uint64_t count : {std::uint64_t{0}, std::uint64_t{1}, strings / 10, strings / 5, strings / 2,
                                          strings - 1, strings, strings + 1}) {
            expect_same(bytes, count);
        }
    });
}

TEST_CASE("the first string that does not fit is found wherever it is") {
    Random random(1);
    with_strings([&](const Bytes& whole) {
        for (int i = 0; i < 10; ++i) {
            expect_same(Bytes(whole).cut(random() % whole.size()), strings);
            // A bit of a length may send the walk past the end, into a text, or to a place that is right again.
            expect_same(Bytes(whole).flip(random() % whole.size(), static_cast<unsigned>(random() % 8)), strings);
        }
        for (std::uint64_t missing = 1; missing < 20; ++missing) {
            expect_same(Bytes(whole).cut(whole.size() - missing), strings);
        }
    });
}

TEST_CASE("bytes that are no strings at all are walked like any others") {
    for (const Encoding encoding : layouts) {
        for (const unsigned high : {0u, 1u, 8u, 255u}) {
            Random random(high);
            Bytes bytes(encoding);
            for (int i = 0; i < 200'000; ++i) {
                bytes.u8(static_cast<std::uint8_t>(random() % 8 == 0 ? random() % (high + 1) : 0));
            }
            for (std::size_t begin = 0; begin < 16; ++begin) expect_same(bytes, 60'000, begin);
        }
    }
}
