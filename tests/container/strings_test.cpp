// Passing over an array of strings is done in several places of it at once, from guesses where strings begin. Whatever
// the strings hold, the outcome is that of taking one after another.
#include <doctest/doctest.h>

#include <cstdint>
#include <functional>
#include <ggufkit/model.hpp>
#include <random>
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

// A file of an array of strings and a number after it. Every string's place is kept.
struct Strings {
    Bytes file;
    std::vector<std::uint64_t> at;

    Strings(Encoding encoding, const std::function<std::string(std::uint64_t)>& text) : file(encoding, 0, 2) {
        file.key("strings", ValueType::array);
        file.array(ValueType::string, many);
        for (std::uint64_t i = 0; i < many; ++i) {
            at.push_back(file.size());
            file.string(text(i));
        }
        at.push_back(file.size());
        file.entry("after", std::uint32_t{42});
    }
};

using Kind = std::pair<std::string_view, std::function<std::string(std::uint64_t)>>;

// Texts from harmless to misleading: the zeros and small numbers look like lengths of other strings.
std::vector<Kind> kinds(Encoding encoding) {
    std::mt19937 random(1);
    const auto length = [random](std::uint32_t most) mutable { return random() % (most + 1); };
    // Five strings in one, as a file has them, the last with a length that its bytes belie.
    const auto file_like = [encoding](std::uint64_t i) {
        Bytes bytes(encoding);
        for (std::uint64_t k = 0; k < 4; ++k) bytes.string(std::string((i + k) % 7, 'x'));
        bytes.length(i % 200);
        std::string text;
        for (const std::byte byte : std::span<const std::byte>(bytes)) text += static_cast<char>(byte);
        return text;
    };
    return {
        {"empty", [](std::uint64_t) { return std::string(); }},
        {"words", [length](std::uint64_t) mutable { return std::string(length(12), 'w'); }},
        {"zeros", [length](std::uint64_t) mutable { return std::string(length(40), '\0'); }},
        {"ones", [length](std::uint64_t) mutable { return std::string(length(40), '\1'); }},
        {"high", [length](std::uint64_t) mutable { return std::string(length(40), '\xff'); }},
        {"short and long", [](std::uint64_t i) { return std::string(i % 500 == 499 ? 60000 : i % 5, '\0'); }},
        {"in pages", [](std::uint64_t i) { return std::string(i % 300 == 0 ? 9000 : 3, 'p'); }},
        {"like a file", file_like},
        {"bytes",
         [random, length](std::uint64_t) mutable {
             std::string text(length(64), '\0');
             for (char& c : text) c = static_cast<char>(random() % 4 == 0 ? random() & 0xff : 0);
             return text;
         }},
    };
}

void in_every_kind(const std::function<void(Encoding, Strings&)>& test) {
    in_every_encoding([&](Encoding encoding) {
        for (const auto& [name, text] : kinds(encoding)) {
            CAPTURE(name);
            Strings strings(encoding, text);
            test(encoding, strings);
        }
    });
}

}  // namespace

TEST_CASE("what follows many strings is found, whatever they hold") {
    in_every_kind([](Encoding encoding, Strings& strings) {
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
    in_every_kind([](Encoding encoding, Strings& strings) {
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

TEST_CASE("one string too many reads what follows as a string, as one after another would") {
    in_every_kind([](Encoding encoding, Strings& strings) {
        // "after" has its length in front of it too, so it is taken for the last string, and there is no second key.
        Bytes file = strings.file;
        const std::uint64_t count_at = strings.at[0] - encoding.length_size();
        const bool big = encoding.order == ByteOrder::big;
        const auto count = many + 1;
        for (std::uint64_t byte = 0; byte < encoding.length_size(); ++byte) {
            const std::uint64_t shift = 8 * (big ? encoding.length_size() - 1 - byte : byte);
            file.set(count_at + byte, static_cast<std::uint8_t>(count >> shift));
        }
        const auto view = parse(file);
        REQUIRE(!view);
        const std::uint64_t end_of_extra = strings.at[many] + encoding.length_size() + 5;
        CHECK(view.error().offset == end_of_extra);
    });
}
