// Passing over an array of strings is done in several places of it at once, from guesses where strings begin. Whatever
// the strings hold, the outcome is that of taking one after another.
#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <functional>
#include <ggufkit/model.hpp>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "container/verdict.hpp"
#include "support/bytes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr std::uint64_t many = 30000;

using Random = std::mt19937;
using Text = std::string (*)(Random& random, Encoding encoding, std::uint64_t index);

std::size_t up_to(std::size_t most, Random& random) { return random() % (most + 1); }

// Strings in a string, as a file has them, the last with a length that belies its bytes.
std::string file_like(Random&, Encoding encoding, std::uint64_t index) {
    Bytes bytes(encoding);
    for (std::uint64_t i = 0; i < 4; ++i) bytes.string(std::string((index + i) % 7, 'x'));
    bytes.length(index % 200);
    const std::span<const std::byte> all = bytes;
    return {reinterpret_cast<const char*>(all.data()), all.size()};
}

std::string mostly_zeros(Random& random, Encoding, std::uint64_t) {
    std::string text(up_to(64, random), '\0');
    for (char& c : text) c = static_cast<char>(random() % 4 == 0 ? random() & 0xff : 0);
    return text;
}

// From harmless to misleading: zeros and small numbers look like lengths of other strings.
constexpr std::array<std::pair<std::string_view, Text>, 9> kinds{{
    {"empty", [](Random&, Encoding, std::uint64_t) { return std::string(); }},
    {"words", [](Random& random, Encoding, std::uint64_t) { return std::string(up_to(12, random), 'w'); }},
    {"zeros", [](Random& random, Encoding, std::uint64_t) { return std::string(up_to(40, random), '\0'); }},
    {"ones", [](Random& random, Encoding, std::uint64_t) { return std::string(up_to(40, random), '\1'); }},
    {"high", [](Random& random, Encoding, std::uint64_t) { return std::string(up_to(40, random), '\xff'); }},
    {"long", [](Random&, Encoding, std::uint64_t i) { return std::string(i % 2500 == 2499 ? 60000 : i % 5, '\0'); }},
    {"in pages", [](Random&, Encoding, std::uint64_t i) { return std::string(i % 900 == 0 ? 9000 : 3, 'p'); }},
    {"like a file", file_like},
    {"mostly zeros", mostly_zeros},
}};

// A file of an array of strings and a number after it. Every string's place is kept.
struct Strings {
    Bytes file;
    std::vector<std::uint64_t> at;

    Strings(Encoding encoding, Text text) : file(encoding, 0, 2) {
        Random random(1);
        file.key("strings", ValueType::array);
        file.array(ValueType::string, many);
        for (std::uint64_t i = 0; i < many; ++i) {
            at.push_back(file.size());
            file.string(text(random, encoding, i));
        }
        at.push_back(file.size());
        file.entry("after", std::uint32_t{42});
    }
};

void in_every_kind(const std::function<void(Encoding, const Strings&)>& test) {
    in_every_encoding([&](Encoding encoding) {
        for (const auto& [name, text] : kinds) {
            CAPTURE(name);
            const Strings strings(encoding, text);
            test(encoding, strings);
        }
    });
}

}  // namespace

TEST_CASE("what follows many strings is found, whatever they hold") {
    in_every_kind([](Encoding encoding, const Strings& strings) {
        const auto view = parse(strings.file);
        REQUIRE_MESSAGE(view, view.error().message());
        CHECK(view->get_unsigned("after") == 42);
        CHECK(view->header_bytes() == strings.file.size());
        const auto array = view->get_array("strings");
        REQUIRE(array);
        REQUIRE(array->size() == many);
        std::uint64_t i = 0, misplaced = 0;
        for (const ValueView value : *array) {
            misplaced += value.offset() != strings.at[i] ||
                         value.as_string()->size() != strings.at[i + 1] - strings.at[i] - encoding.length_size();
            ++i;
        }
        CHECK(i == many);
        CHECK(misplaced == 0);
    });
}

TEST_CASE("the first of many strings that does not fit is named, whatever they hold") {
    in_every_kind([](Encoding encoding, const Strings& strings) {
        for (const std::uint64_t i : {std::uint64_t{0}, std::uint64_t{1}, many / 3, many - 2, many - 1}) {
            CAPTURE(i);
            Bytes file = strings.file;
            // Sets the top byte of the length.
            const bool big = encoding.order == ByteOrder::big;
            file.set(strings.at[i] + (big ? 0 : encoding.length_size() - 1), 0x7f);
            CHECK(findings(file) == error(Errc::length_past_eof, strings.at[i]));
        }
    });
}
