// Hostile files, first half: header and metadata. Each case is a family of mutations, named by its row of the taxonomy
// that spec/gguf.md follows; the second half is validity_test.cpp.
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "container/verdict.hpp"
#include "support/bytes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using namespace std::string_view_literals;

namespace {

constexpr std::uint64_t max_u64 = ~std::uint64_t{0};

// A length that only makes sense as "the rest of the universe", in the width the version has.
std::uint64_t all_ones(Encoding encoding) { return encoding.version == 1 ? 0xffffffffu : max_u64; }
std::uint64_t sign_bit(Encoding encoding) { return std::uint64_t{1} << (encoding.version == 1 ? 31 : 63); }

constexpr std::array scalar_types{
    ValueType::uint8,   ValueType::int8,    ValueType::uint16, ValueType::int16, ValueType::uint32,  ValueType::int32,
    ValueType::float32, ValueType::boolean, ValueType::uint64, ValueType::int64, ValueType::float64,
};

}  // namespace

TEST_CASE("H01 a header that is cut short") {
    in_every_encoding([](Encoding encoding) {
        const Bytes whole(encoding, 0, 0);
        CHECK(findings(whole) == "");
        const std::uint64_t length = encoding.length_size();
        for (std::uint64_t size = 0; size < whole.size(); ++size) {
            CAPTURE(size);
            const std::uint64_t field = size < 4 ? 0 : size < 8 ? 4 : size < 8 + length ? 8 : 8 + length;
            CHECK(findings(Bytes(whole).cut(size)) == error(Errc::truncated, field));
        }
    });
}

TEST_CASE("H03 wrong magic") {
    for (const std::string_view magic : {"GGML"sv, "gguf"sv, "FUGG"sv, "GGU\0"sv, "\0\0\0\0"sv, "PK\3\4"sv}) {
        CAPTURE(magic);
        CHECK(findings(Bytes(little_v3).raw(magic).u32(3).u64(0).u64(0)) == error(Errc::bad_magic, 0));
    }
    in_every_encoding([](Encoding encoding) {
        for (std::uint64_t at = 0; at < 4; ++at) {
            CHECK(findings(Bytes(encoding, 0, 0).flip(at, 5)) == error(Errc::bad_magic, 0));
        }
    });
}

TEST_CASE("H04 a version that does not exist") {
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        for (const std::uint32_t version : {0u, 4u, 5u, 255u, 256u, 0x10000u, 0x00030000u, 0x03000003u, 0xffffffffu}) {
            CAPTURE(version);
            const Bytes file = Bytes(Encoding{order, 3}).raw("GGUF").u32(version).u64(0).u64(0);
            CHECK(findings(file) == error(Errc::bad_version, 4));
        }
    }
}

TEST_CASE("H07 a big-endian file is read as one") {
    in_every_encoding([](Encoding encoding) {
        Bytes file(encoding, 0, 2);
        file.entry("general.architecture", "llama");
        file.entry("answer", std::uint16_t{0x1234});
        const auto view = parse(file);
        REQUIRE(view);
        CHECK(view->encoding() == encoding);
        CHECK(view->get_unsigned("answer").value() == 0x1234);
        CHECK(findings(file) == "");
    });
}

TEST_CASE("H07 byte orders that are mixed") {
    in_every_encoding([](Encoding encoding) {
        const Encoding other{encoding.order == ByteOrder::little ? ByteOrder::big : ByteOrder::little,
                             encoding.version};
        Bytes body(other);
        body.length(1).length(1);
        body.entry("general.alignment", std::uint32_t{32});
        body.tensor({.ne = {8}});

        Bytes file = Bytes(encoding).raw("GGUF").u32(encoding.version);
        for (const std::byte byte : std::span<const std::byte>(body)) file.u8(static_cast<std::uint8_t>(byte));
        file.pad().fill(32);
        CHECK(findings(file) == error(Errc::wrong_endian, 8));
    });
}

TEST_CASE("H09 counts that no file of this size could hold") {
    in_every_encoding([](Encoding encoding) {
        const std::uint64_t length = encoding.length_size();
        Bytes rest(encoding);
        rest.entry("key", "value");
        const std::uint64_t size = Bytes(encoding, 0, 0).size() + rest.size();
        for (const std::uint64_t count : {all_ones(encoding), sign_bit(encoding), sign_bit(encoding) >> 1,
                                          sign_bit(encoding) - 1, size, std::uint64_t{1000}}) {
            CAPTURE(count);
            Bytes keys(encoding, 0, count);
            keys.entry("key", "value");
            CHECK(findings(keys) == error(Errc::count_impossible, 8 + length));

            Bytes tensors(encoding, count, 1);
            tensors.entry("key", "value");
            CHECK(findings(tensors) == error(Errc::count_impossible, 8));
        }
    });
    SUBCASE("one more than there are") {
        in_every_encoding([](Encoding encoding) {
            Bytes file(encoding, 0, 2);
            file.entry("key", "value");
            CHECK_FALSE(parse(file));
        });
    }
}

TEST_CASE("K01 a string longer than the rest of the file") {
    in_every_encoding([](Encoding encoding) {
        const std::uint64_t start = Bytes(encoding, 0, 1).size();
        const auto tail = [&](Bytes file) { return file.raw("key").u32(4).u32(7).fill(64); };
        for (const std::uint64_t length :
             {all_ones(encoding), sign_bit(encoding), sign_bit(encoding) - 1, std::uint64_t{3 + 4 + 4 + 64 + 1}}) {
            CAPTURE(length);
            CHECK(findings(tail(Bytes(encoding, 0, 1).length(length))) == error(Errc::length_past_eof, start));
        }
        // Exactly the rest is a key; what is missing then is its type.
        const Bytes exact = tail(Bytes(encoding, 0, 1).length(3 + 4 + 4 + 64));
        CHECK(findings(exact) == error(Errc::truncated, exact.size()));
    });
}

TEST_CASE("K01 a value and an element longer than the rest of the file") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint64_t length : {all_ones(encoding), sign_bit(encoding), std::uint64_t{5}}) {
            CAPTURE(length);
            Bytes scalar(encoding, 0, 1);
            const KeyPlace key = scalar.key("key", ValueType::string);
            scalar.length(length).raw("text");
            CHECK(findings(scalar) == error(Errc::length_past_eof, key.value));

            Bytes array(encoding, 0, 1);
            array.key("key", ValueType::array);
            array.array(ValueType::string, 3);
            array.string("first").string("");
            const std::uint64_t last = array.size();
            array.length(length).raw("text");
            CHECK(findings(array) == error(Errc::length_past_eof, last));
        }
        Bytes exact(encoding, 0, 1);
        exact.key("key", ValueType::string);
        exact.length(4).raw("text");
        CHECK(findings(exact) == "");
    });
}

TEST_CASE("K03 K05 K07 keys that are empty or hold a NUL or are not ASCII") {
    in_every_encoding([](Encoding encoding) {
        for (const std::string_view name : {""sv, "\0"sv, "general.alignment\0x"sv, "\0key"sv, "schl\xc3\xbcssel"sv,
                                            "key\x80"sv, "\xff"sv, "\xe2\x82"sv}) {
            CAPTURE(name.size());
            Bytes file(encoding, 0, 2);
            file.entry("before", std::uint8_t{1});
            const KeyPlace key = file.entry(name, std::uint32_t{64});
            CHECK(findings(file) == error(Errc::bad_key, key.key));
        }
    });
}

TEST_CASE("K05 a NUL does not end a key") {
    in_every_encoding([](Encoding encoding) {
        Bytes file(encoding, 0, 2);
        file.entry("general.alignment\0x"sv, std::uint32_t{4096});
        file.entry("name\0a"sv, std::uint32_t{1});
        const auto view = parse(file);
        REQUIRE(view);
        CHECK(view->alignment() == 32);
        CHECK(view->find_key("general.alignment") == nullptr);
        CHECK(view->find_key("name") == nullptr);
        CHECK(view->find_key("name\0a"sv) != nullptr);
        CHECK(view->find_key("name\0b"sv) == nullptr);
    });
}

TEST_CASE("K07 keys of 65535 bytes and one more") {
    in_every_encoding([](Encoding encoding) {
        Bytes longest(encoding, 0, 1);
        longest.entry(std::string(65535, 'k'), true);
        CHECK(findings(longest) == "");

        Bytes longer(encoding, 0, 1);
        const KeyPlace key = longer.entry(std::string(65536, 'k'), true);
        CHECK(findings(longer) == error(Errc::bad_key, key.key));
    });
}

TEST_CASE("K04 duplicate key") {
    in_every_encoding([](Encoding encoding) {
        Bytes file(encoding, 0, 5);
        file.entry("twice", std::uint32_t{1});
        file.entry("once", std::uint32_t{2});
        const KeyPlace second = file.entry("twice", "of another type");
        file.entry("twice\x1f", std::uint32_t{3});  // a longer key is another key
        const KeyPlace third = file.entry("twice", std::uint32_t{1});
        CHECK(findings(file) == error(Errc::dup_key, second.key) + error(Errc::dup_key, third.key));
        const auto view = parse(file);
        REQUIRE(view);
        CHECK(view->get_unsigned("twice").value() == 1);
    });
}

TEST_CASE("K10 unknown value type and unknown element type") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint32_t type : {13u, 14u, 255u, 256u, 0x80000000u, 0xffffffffu}) {
            CAPTURE(type);
            Bytes value(encoding, 0, 1);
            const KeyPlace key = value.key("key", static_cast<ValueType>(type));
            value.fill(64);
            CHECK(findings(value) == error(Errc::bad_kv_type, key.type));

            Bytes element(encoding, 0, 1);
            element.key("key", ValueType::array);
            const ArrayPlace array = element.array(static_cast<ValueType>(type), 1);
            element.fill(64);
            CHECK(findings(element) == error(Errc::bad_kv_type, array.type));

            Bytes nested(encoding, 0, 1);
            nested.key("key", ValueType::array);
            nested.array(ValueType::array, 2);
            nested.array(ValueType::uint8, 1);
            nested.u8(1);
            const ArrayPlace inner = nested.array(static_cast<ValueType>(type), 0);
            nested.fill(64);
            CHECK(findings(nested) == error(Errc::bad_kv_type, inner.type));
        }
    });
}

TEST_CASE("K12 a bool that is neither 0 nor 1") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint8_t byte : {std::uint8_t{2}, std::uint8_t{128}, std::uint8_t{255}}) {
            Bytes scalar(encoding, 0, 1);
            const KeyPlace key = scalar.key("key", ValueType::boolean);
            scalar.u8(byte);
            CHECK(findings(scalar) == error(Errc::bad_bool, key.value));

            Bytes array(encoding, 0, 1);
            array.key("key", ValueType::array);
            const ArrayPlace place = array.array(ValueType::boolean, 3);
            array.u8(0).u8(1).u8(byte);
            CHECK(findings(array) == error(Errc::bad_bool, place.elements + 2));
        }
        Bytes valid(encoding, 0, 2);
        valid.entry("yes", true);
        valid.entry("no", false);
        CHECK(findings(valid) == "");
    });
}

TEST_CASE("K16 a string that is not UTF-8") {
    // A stray continuation, a byte that never occurs, overlong forms, a surrogate, past U+10FFFF, cut sequences.
    constexpr std::array malformed{"\x80"sv,
                                   "\xff"sv,
                                   "\xc0\x80"sv,
                                   "\xc1\xbf"sv,
                                   "\xe0\x80\x80"sv,
                                   "\xf0\x80\x80\x80"sv,
                                   "\xed\xa0\x80"sv,
                                   "\xed\xbf\xbf"sv,
                                   "\xf4\x90\x80\x80"sv,
                                   "\xf5\x80\x80\x80"sv,
                                   "\xc3"sv,
                                   "\xe2\x82"sv,
                                   "\xf0\x9f\x98"sv,
                                   "long enough for a block \xe2\x82(\xa1"sv};
    in_every_encoding([&](Encoding encoding) {
        for (const std::string_view text : malformed) {
            Bytes scalar(encoding, 0, 1);
            const KeyPlace key = scalar.entry("general.name", text);
            CHECK(findings(scalar) == error(Errc::bad_utf8, key.value));
            CHECK(findings(scalar, as_llama) == warning(Errc::bad_utf8, key.value));

            Bytes tokens(encoding, 0, 1);
            tokens.key("tokenizer.ggml.tokens", ValueType::array);
            tokens.array(ValueType::string, 2);
            tokens.string("fine");
            const std::uint64_t element = tokens.size();
            tokens.string(text);
            CHECK(findings(tokens) == warning(Errc::bad_utf8, element));
        }
        for (const std::string_view text :
             {""sv, "a\0b"sv, "\x7f"sv, "\xc2\x80"sv, "\xdf\xbf"sv, "\xe0\xa0\x80"sv, "\xed\x9f\xbf"sv,
              "\xee\x80\x80"sv, "\xef\xbf\xbf"sv, "\xf0\x90\x80\x80"sv, "\xf4\x8f\xbf\xbf"sv}) {
            Bytes valid(encoding, 0, 1);
            valid.entry("general.name", text);
            CHECK(findings(valid) == "");
        }
    });
}

TEST_CASE("K16 strings are judged one by one: characters do not reach from one into the next, nor into its length") {
    in_every_encoding([&](Encoding encoding) {
        // The two halves of a character in two strings; a first half before a length of 169 (0xa9, a second half in
        // little-endian); a fault behind more strings than are looked at together.
        const std::vector<std::vector<std::string>> faulty{{"ok", "a\xc3", "\xa9 b"},
                                                           {"ok", "\xc3", std::string(169, 'x')},
                                                           {"ok", "\xe2", std::string(0x82, 'x'), "\xac"}};
        for (const auto& strings : faulty) {
            Bytes tokens(encoding, 0, 1);
            tokens.key("tokenizer.ggml.tokens", ValueType::array);
            tokens.array(ValueType::string, strings.size());
            tokens.string(strings[0]);
            const std::uint64_t element = tokens.size();
            for (std::size_t i = 1; i < strings.size(); ++i) tokens.string(strings[i]);
            CHECK(findings(tokens) == warning(Errc::bad_utf8, element));
        }
        for (const std::uint64_t before : {0u, 255u, 256u, 600u}) {
            Bytes tokens(encoding, 0, 1);
            tokens.key("tokenizer.ggml.tokens", ValueType::array);
            tokens.array(ValueType::string, before + 2);
            for (std::uint64_t i = 0; i < before; ++i) tokens.string("\xc4\xa0the");
            const std::uint64_t element = tokens.size();
            tokens.string("\xa0");
            tokens.string("");
            CHECK(findings(tokens) == warning(Errc::bad_utf8, element));
        }
    });
}

TEST_CASE("K18 arrays in arrays and their depth limit") {
    // `depth` arrays one in another; the innermost is empty. Returns the place of the array at depth `marked`.
    const auto nest = [](Bytes& file, std::uint32_t depth, std::uint32_t marked = 0) {
        ArrayPlace place{};
        file.key("nested", ValueType::array);
        for (std::uint32_t level = 1; level < depth; ++level) {
            const ArrayPlace here = file.array(ValueType::array, 1);
            if (level == marked) place = here;
        }
        const ArrayPlace innermost = file.array(ValueType::uint8, 0);
        return marked == depth ? innermost : place;
    };
    in_every_encoding([&](Encoding encoding) {
        constexpr std::uint32_t limit = Limits{}.array_depth;
        for (const std::uint32_t depth : {1u, 2u, limit - 1, limit}) {
            CAPTURE(depth);
            Bytes file(encoding, 0, 1);
            nest(file, depth);
            CHECK(findings(file) == "");
        }
        for (const std::uint32_t depth : {limit + 1, 5000u, 1'000'000u}) {
            CAPTURE(depth);
            Bytes file(encoding, 0, 1);
            const ArrayPlace place = nest(file, depth, limit + 1);
            CHECK(findings(file) == error(Errc::depth, place.type));
        }
        Bytes file(encoding, 0, 1);
        const ArrayPlace place = nest(file, 3, 3);
        CHECK(findings(file, {}, {.array_depth = 3}) == "");
        CHECK(findings(file, {}, {.array_depth = 2}) == error(Errc::depth, place.type));
    });
}

TEST_CASE("K18 llama.cpp loads no nested arrays") {
    in_every_encoding([](Encoding encoding) {
        Bytes file(encoding, 0, 2);
        file.key("flat", ValueType::array);
        file.array(ValueType::uint8, 0);
        const KeyPlace key = file.key("nested", ValueType::array);
        file.array(ValueType::array, 0);
        CHECK(findings(file) == "");
        CHECK(findings(file, as_llama) == error(Errc::depth, key.value));
    });
}

TEST_CASE("K20 an array longer than the rest of the file") {
    in_every_encoding([](Encoding encoding) {
        const auto check = [&](ValueType element, std::uint64_t count) {
            CAPTURE(name(element));
            CAPTURE(count);
            Bytes file(encoding, 0, 1);
            file.key("key", ValueType::array);
            const ArrayPlace array = file.array(element, count);
            file.fill(64);
            CHECK(findings(file) == error(Errc::length_past_eof, array.count));
        };
        for (const ValueType element : scalar_types) {
            const std::uint64_t size = fixed_size(element);
            check(element, all_ones(encoding));
            check(element, sign_bit(encoding));
            check(element, 64 / size + 1);
            if (size > 1 && encoding.version > 1) check(element, max_u64 / size + 1);  // wraps to nothing at all
            if (size > 1 && encoding.version > 1) check(element, max_u64 / size + 2);
        }
        for (const ValueType element : {ValueType::string, ValueType::array}) {
            check(element, all_ones(encoding));
            check(element, sign_bit(encoding));
            check(element, 65);
        }
    });
}

TEST_CASE("K24 zero-length arrays") {
    in_every_encoding([](Encoding encoding) {
        for (std::uint32_t type = 0; type <= 12; ++type) {
            Bytes file(encoding, 0, 2);
            file.key("empty", ValueType::array);
            file.array(static_cast<ValueType>(type), 0);
            file.entry("after", std::uint8_t{7});
            CHECK(findings(file) == "");
            const auto view = parse(file);
            REQUIRE(view);
            const auto array = view->get_array("empty");
            REQUIRE(array);
            CHECK(array->size() == 0);
            CHECK(array->begin() == array->end());
            CHECK(array->at(0).error().code == Errc::out_of_range);
            CHECK(view->get_unsigned("after").value() == 7);
        }
    });
}

TEST_CASE("K25 a file that ends inside a type or a value") {
    const std::string longest(40, 'k');  // so that the key alone makes one record plausible
    in_every_encoding([&](Encoding encoding) {
        for (const ValueType type : scalar_types) {
            CAPTURE(name(type));
            Bytes file(encoding, 0, 1);
            const KeyPlace key = file.key(longest, type);
            file.fill(fixed_size(type));
            CHECK(findings(file) == "");
            for (std::uint64_t size = key.type; size < file.size(); ++size) {
                const std::uint64_t field = size < key.value ? key.type : key.value;
                CHECK(findings(Bytes(file).cut(size)) == error(Errc::truncated, field));
            }
        }
        Bytes text(encoding, 0, 1);
        const KeyPlace string = text.entry(longest, "text");
        for (std::uint64_t size = string.value; size < text.size(); ++size) {
            const bool in_length = size < string.value + encoding.length_size();
            CHECK(findings(Bytes(text).cut(size)) ==
                  error(in_length ? Errc::truncated : Errc::length_past_eof, string.value));
        }
        Bytes numbers(encoding, 0, 1);
        numbers.key(longest, ValueType::array);
        const ArrayPlace array = numbers.array(ValueType::uint32, 3);
        numbers.fill(12);
        for (std::uint64_t size = array.type; size < numbers.size(); ++size) {
            const std::string expected = size < array.count      ? error(Errc::truncated, array.type)
                                         : size < array.elements ? error(Errc::truncated, array.count)
                                                                 : error(Errc::length_past_eof, array.count);
            CHECK(findings(Bytes(numbers).cut(size)) == expected);
        }
    });
}

TEST_CASE("K27 an alignment that cannot be one") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint32_t alignment : {0u, 3u, 13u, 24u, 33u, 0x80000000u, 0xffffffffu}) {
            CAPTURE(alignment);
            Bytes file(encoding, 1, 1);
            const KeyPlace key = file.entry("general.alignment", alignment);
            file.tensor({.ne = {8}});
            file.pad().fill(32);
            CHECK(findings(file) == error(Errc::bad_align, key.value));
            const auto view = parse(file);
            REQUIRE(view);
            CHECK(view->alignment() == 32);
        }
        for (const std::uint32_t alignment : {8u, 16u, 32u, 64u, 4096u, 65536u}) {
            CAPTURE(alignment);
            const TensorFile file(encoding, {{.ne = {std::max(2u, alignment / 4)}}}, std::max(8u, alignment),
                                  alignment);
            CHECK(findings(file) == "");
            CHECK(parse(file).value().alignment() == alignment);
        }
    });
}

TEST_CASE("K30 an alignment of another type") {
    in_every_encoding([](Encoding encoding) {
        const auto check = [&](auto lay_down) {
            Bytes file(encoding, 1, 1);
            const KeyPlace key = lay_down(file);
            file.tensor({.ne = {8}});
            file.pad().fill(32);
            CHECK(findings(file) == error(Errc::bad_align_type, key.value));
            CHECK(parse(file).value().alignment() == 32);
        };
        check([](Bytes& file) { return file.entry("general.alignment", std::uint64_t{64}); });
        check([](Bytes& file) { return file.entry("general.alignment", std::int32_t{64}); });
        check([](Bytes& file) { return file.entry("general.alignment", std::uint16_t{64}); });
        check([](Bytes& file) { return file.entry("general.alignment", 64.0f); });
        check([](Bytes& file) { return file.entry("general.alignment", true); });
        check([](Bytes& file) { return file.entry("general.alignment", "64"); });
        check([](Bytes& file) {
            const KeyPlace key = file.key("general.alignment", ValueType::array);
            file.array(ValueType::uint32, 1);
            file.u32(64);
            return key;
        });
    });
}

TEST_CASE("K35 a known key of the wrong type gives a typed error") {
    in_every_encoding([](Encoding encoding) {
        Bytes file(encoding, 0, 5);
        const KeyPlace text = file.entry("text", "12");
        const KeyPlace negative = file.entry("negative", std::int32_t{-1});
        const KeyPlace real = file.entry("real", 1.5);
        const KeyPlace huge = file.entry("huge", max_u64);
        const KeyPlace list = file.key("list", ValueType::array);
        file.array(ValueType::uint8, 1);
        file.u8(1);
        const auto view = parse(file);
        REQUIRE(view);

        const auto check = [](const auto& result, Errc code, KeyPlace place, std::string_view key) {
            REQUIRE_FALSE(result);
            CHECK(result.error().code == code);
            REQUIRE(result.error().offset);
            CHECK(*result.error().offset >= place.key);
            CHECK(*result.error().offset <= place.value);
            CHECK(result.error().message().find(key) != std::string::npos);
        };
        check(view->get_unsigned("text"), Errc::wrong_type, text, "text");
        check(view->get_signed("text"), Errc::wrong_type, text, "text");
        check(view->get_float("text"), Errc::wrong_type, text, "text");
        check(view->get_bool("text"), Errc::wrong_type, text, "text");
        check(view->get_array("text"), Errc::wrong_type, text, "text");
        check(view->get_unsigned("negative"), Errc::out_of_range, negative, "negative");
        check(view->get_string("negative"), Errc::wrong_type, negative, "negative");
        check(view->get_unsigned("real"), Errc::wrong_type, real, "real");
        check(view->get_bool("real"), Errc::wrong_type, real, "real");
        check(view->get_signed("huge"), Errc::out_of_range, huge, "huge");
        check(view->get_unsigned("list"), Errc::wrong_type, list, "list");
        check(view->get_string("list"), Errc::wrong_type, list, "list");
        CHECK(view->get_array("list")->at(1).error().code == Errc::out_of_range);
        CHECK(view->get_array("list")->at(max_u64).error().code == Errc::out_of_range);
        CHECK(view->get_string("absent").error().code == Errc::not_found);
    });
}
