// Values: what each getter gives and refuses, how arrays are walked, and that the encoding of a file is nowhere to be
// seen.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <array>
#include <bit>
#include <cstdint>
#include <ggufkit/model.hpp>
#include <ggufkit/value.hpp>
#include <limits>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "container/verdict.hpp"
#include "support/bytes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// What a getter said: its value, or the name of its error.
template <class T>
std::string said(const Result<T>& result) {
    if (!result) return std::string(name(result.error().code));
    return fmt::format("{}", *result);
}
std::string said(const Result<ArrayView>& result) {
    if (!result) return std::string(name(result.error().code));
    return fmt::format("{} x {}", result->size(), name(result->element_type()));
}

// All getters, in the order unsigned, signed, float, bool, string, array; W for WRONG_TYPE, R for OUT_OF_RANGE.
std::string all(const ValueView& value) {
    std::string text;
    const auto add = [&text](const auto& result) {
        const std::string word = said(result);
        text += (word == "WRONG_TYPE" ? "W" : word == "OUT_OF_RANGE" ? "R" : word) + " ";
    };
    add(value.as_unsigned());
    add(value.as_signed());
    add(value.as_float());
    add(value.as_bool());
    add(value.as_string());
    add(value.as_array());
    return text;
}

// A value of the encoding, alone in its bytes; it claims to come from offset 1000.
template <class T>
std::string all(Encoding encoding, T number) {
    Bytes bytes(encoding);
    bytes.number(number);
    return all(ValueView(value_type_of<T>(), bytes, encoding, 1000));
}

// A file of one key, `k`, whose value `lay_down(bytes)` lays down; and the view of it.
struct OneValue {
    Bytes bytes;
    ModelView view;

    template <class LayDown>
    OneValue(Encoding encoding, ValueType type, LayDown lay_down) : bytes(encoding, 0, 1) {
        bytes.key("k", type);
        lay_down(bytes);
        auto parsed = parse(bytes);
        REQUIRE(parsed);
        view = std::move(*parsed);
    }
    const ValueView& value() const { return view.metadata()[0].value; }
    ArrayView array() const {
        const auto array = value().as_array();
        REQUIRE(array);
        return *array;
    }
};

constexpr std::uint64_t top = std::numeric_limits<std::uint64_t>::max();

}  // namespace

TEST_CASE("types have names and sizes") {
    const std::array<std::tuple<ValueType, std::string_view, std::size_t>, 13> expected{{
        {ValueType::uint8, "u8", 1},
        {ValueType::int8, "i8", 1},
        {ValueType::uint16, "u16", 2},
        {ValueType::int16, "i16", 2},
        {ValueType::uint32, "u32", 4},
        {ValueType::int32, "i32", 4},
        {ValueType::float32, "f32", 4},
        {ValueType::boolean, "bool", 1},
        {ValueType::string, "str", 0},
        {ValueType::array, "arr", 0},
        {ValueType::uint64, "u64", 8},
        {ValueType::int64, "i64", 8},
        {ValueType::float64, "f64", 8},
    }};
    std::uint32_t id = 0;
    for (const auto& [type, type_name, size] : expected) {
        CHECK(static_cast<std::uint32_t>(type) == id++);
        CHECK(name(type) == type_name);
        CHECK(fixed_size(type) == size);
    }
}

TEST_CASE("getters take any number that fits and refuse the rest") {
    in_every_encoding([](Encoding encoding) {
        CHECK(all(encoding, std::uint8_t{200}) == "200 200 200 W W W ");
        CHECK(all(encoding, std::int8_t{-2}) == "R -2 -2 W W W ");
        CHECK(all(encoding, std::int8_t{127}) == "127 127 127 W W W ");
        CHECK(all(encoding, std::uint16_t{0xfffe}) == "65534 65534 65534 W W W ");
        CHECK(all(encoding, std::int16_t{-32768}) == "R -32768 -32768 W W W ");
        CHECK(all(encoding, std::uint32_t{0x80000001}) == "2147483649 2147483649 2147483649 W W W ");
        CHECK(all(encoding, std::int32_t{-2147483647}) == "R -2147483647 -2147483647 W W W ");
        CHECK(all(encoding, std::uint64_t{1} << 62) ==
              "4611686018427387904 4611686018427387904 4.611686018427388e+18 W W W ");
        CHECK(all(encoding, top) == "18446744073709551615 R 1.8446744073709552e+19 W W W ");
        CHECK(all(encoding, std::int64_t{-5}) == "R -5 -5 W W W ");
        CHECK(all(encoding, 1.5f) == "W W 1.5 W W W ");
        CHECK(all(encoding, -2.25) == "W W -2.25 W W W ");
        CHECK(all(encoding, true) == "W W W true W W ");
        CHECK(all(encoding, false) == "W W W false W W ");

        Bytes text(encoding);
        text.string("a\0b");
        CHECK(all(ValueView(ValueType::string, text, encoding, 0)) == "W W W W a W ");
        Bytes array(encoding);
        array.array(ValueType::int16, 2);
        array.fill(4);
        CHECK(all(ValueView(ValueType::array, array, encoding, 0)) == "W W W W W 2 x i16 ");
    });
}

TEST_CASE("getters of negative zero, infinities and NaN keep the bits") {
    in_every_encoding([](Encoding encoding) {
        for (const double number :
             {-0.0, std::numeric_limits<double>::infinity(), std::numeric_limits<double>::quiet_NaN(),
              std::numeric_limits<double>::denorm_min()}) {
            Bytes bytes(encoding);
            bytes.number(number);
            const auto read = ValueView(ValueType::float64, bytes, encoding, 0).as_float();
            REQUIRE(read);
            CHECK(std::bit_cast<std::uint64_t>(*read) == std::bit_cast<std::uint64_t>(number));
        }
    });
}

TEST_CASE("a getter's error names the place") {
    Bytes bytes(little_v3);
    bytes.number(std::int8_t{-1});
    const ValueView value(ValueType::int8, bytes, little_v3, 1000);
    CHECK(value.as_unsigned().error().offset == 1000);
    CHECK(value.as_bool().error().offset == 1000);
    CHECK(value.as_string().error().offset == 1000);
    CHECK(value.as_array().error().offset == 1000);
    CHECK(value.as_unsigned().error().rule == "");  // the caller asks in vain; no rule of the format is broken
    CHECK(value.as_unsigned().error().detail.find("-1") != std::string::npos);
}

TEST_CASE("a bool that is neither 0 nor 1") {
    Bytes bytes(little_v3);
    bytes.u8(2);
    const auto read = ValueView(ValueType::boolean, bytes, little_v3, 77).as_bool();
    REQUIRE(!read);
    CHECK(read.error().code == Errc::bad_bool);
    CHECK(read.error().offset == 77);
    CHECK(!read.error().rule.empty());
}

TEST_CASE("strings are views of the file") {
    in_every_encoding([](Encoding encoding) {
        using namespace std::string_view_literals;
        const OneValue file(encoding, ValueType::string, [](Bytes& bytes) { bytes.string("a\0b"sv); });
        const auto text = file.value().as_string();
        REQUIRE(text);
        CHECK(*text == "a\0b"sv);
        CHECK(static_cast<const void*>(text->data()) == file.view.file().last(3).data());
        CHECK(file.value().bytes().size() == encoding.length_size() + 3);
        CHECK(file.value().offset() == file.bytes.size() - 3 - encoding.length_size());
    });
}

TEST_CASE("a view's getters name the key") {
    Bytes file(little_v3, 0, 3);
    const KeyPlace negative = file.entry("n", std::int32_t{-3});
    file.entry("s", "text");
    file.entry("b", true);
    const auto view = parse(file);
    REQUIRE(view);
    CHECK(view->get_signed("n") == -3);
    CHECK(view->get_float("n") == -3.0);
    CHECK(view->get_string("s") == "text");
    CHECK(view->get_bool("b") == true);

    const auto refused = view->get_unsigned("n");
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::out_of_range);
    CHECK(refused.error().subject == "key 'n'");
    CHECK(refused.error().offset == negative.value);
    CHECK(said(view->get_array("s")) == "WRONG_TYPE");
    CHECK(view->get_array("s").error().subject == "key 's'");
    CHECK(said(view->get_bool("x")) == "NOT_FOUND");
    CHECK(view->get_bool("x").error().subject == "key 'x'");
}

// ---------------------------------------------------------------- arrays

TEST_CASE("arrays of numbers: random access and iteration") {
    in_every_encoding([](Encoding encoding) {
        const std::vector<std::uint32_t> numbers{1, 2, 0xfffffffe, 4};
        const OneValue file(encoding, ValueType::array, [&](Bytes& bytes) {
            bytes.array(ValueType::uint32, numbers.size());
            for (const std::uint32_t number : numbers) bytes.u32(number);
        });
        const ArrayView array = file.array();
        CHECK(array.element_type() == ValueType::uint32);
        CHECK(array.size() == 4);
        CHECK(!array.empty());
        CHECK(array.bytes().size() == 16);
        CHECK(array.bytes().data() == file.view.file().last(16).data());

        std::size_t i = 0;
        for (const ValueView element : array) {
            CHECK(element.as_unsigned() == numbers[i]);
            CHECK(element.offset() == file.bytes.size() - 16 + 4 * i);
            CHECK(array.at(i) == element);
            CHECK(array.at(i)->offset() == element.offset());
            ++i;
        }
        CHECK(i == 4);
        CHECK(said(array.at(4).map([](auto) { return 0; })) == "OUT_OF_RANGE");
        CHECK(said(array.at(top).map([](auto) { return 0; })) == "OUT_OF_RANGE");
    });
}

TEST_CASE("arrays of strings") {
    in_every_encoding([](Encoding encoding) {
        const std::vector<std::string> texts{"", "one", std::string(300, 'x'), "", "last"};
        const OneValue file(encoding, ValueType::array, [&](Bytes& bytes) {
            bytes.array(ValueType::string, texts.size());
            for (const std::string& text : texts) bytes.string(text);
        });
        const ArrayView array = file.array();
        std::vector<std::string> read;
        for (const ValueView element : array) read.emplace_back(element.as_string().value());
        CHECK(read == texts);
        for (std::size_t i = 0; i < texts.size(); ++i) CHECK(array.at(i)->as_string() == texts[i]);
        CHECK(array.at(2)->bytes().size() == encoding.length_size() + 300);
        CHECK(said(array.at(5).map([](auto) { return 0; })) == "OUT_OF_RANGE");
    });
}

TEST_CASE("arrays of arrays") {
    in_every_encoding([](Encoding encoding) {
        // [[[1, 2], []], [], [[3]]]
        const OneValue file(encoding, ValueType::array, [](Bytes& bytes) {
            bytes.array(ValueType::array, 3);
            bytes.array(ValueType::array, 2);
            bytes.array(ValueType::uint8, 2);
            bytes.u8(1).u8(2);
            bytes.array(ValueType::string, 0);
            bytes.array(ValueType::float64, 0);
            bytes.array(ValueType::array, 1);
            bytes.array(ValueType::uint8, 1);
            bytes.u8(3);
        });
        const ArrayView outer = file.array();
        std::string shape;
        for (const ValueView middle : outer) {
            const auto inner = middle.as_array();
            REQUIRE(inner);
            shape += fmt::format("{} x {}: ", inner->size(), name(inner->element_type()));
            for (const ValueView innermost : *inner) shape += said(innermost.as_array()) + ", ";
        }
        CHECK(shape == "2 x arr: 2 x u8, 0 x str, 0 x f64: 1 x arr: 1 x u8, ");

        const auto third = outer.at(2)->as_array();
        REQUIRE(third);
        const auto last = third->at(0)->as_array();
        REQUIRE(last);
        CHECK(last->at(0)->as_unsigned() == 3);
        CHECK(last->at(0)->offset() == file.bytes.size() - 1);
    });
}

TEST_CASE("an empty array has nothing") {
    for (const ValueType element : {ValueType::uint64, ValueType::string, ValueType::array}) {
        const OneValue file(little_v3, ValueType::array, [&](Bytes& bytes) { bytes.array(element, 0); });
        const ArrayView array = file.array();
        CHECK(array.empty());
        CHECK(array.begin() == array.end());
        CHECK(!array.at(0));
    }
    CHECK(ArrayView().begin() == ArrayView().end());
}

TEST_CASE("iterators count and can be copied") {
    const OneValue file(little_v3, ValueType::array, [](Bytes& bytes) {
        bytes.array(ValueType::string, 2);
        bytes.string("a").string("bc");
    });
    const ArrayView array = file.array();
    auto it = array.begin();
    const auto first = it++;
    CHECK((*first).as_string() == "a");
    CHECK((*it).as_string() == "bc");
    CHECK(first != it);
    CHECK(++it == array.end());
    CHECK(std::distance(array.begin(), array.end()) == 2);
    static_assert(std::forward_iterator<ArrayView::iterator>);
}

// parse() makes no such views; one that a program makes must still not be read past its end.
TEST_CASE("a view that promises more than it has ends early") {
    Bytes bytes(little_v3);
    bytes.string("only");
    for (const ValueType element : {ValueType::string, ValueType::array, ValueType::uint64}) {
        const ArrayView array(element, 3, bytes, little_v3, 0);
        std::uint64_t count = 0;
        for (const ValueView value : array) count += value.bytes().size() <= bytes.size();
        CHECK(count <= 1);
        CHECK(!array.at(2));
        CHECK(!array.at(1));
    }
}

// ---------------------------------------------------------------- equality and made values

namespace {

// The same values in any encoding, a key each.
Bytes every_type(Encoding encoding) {
    Bytes file(encoding, 0, 15);
    file.entry("u8", std::uint8_t{1});
    file.entry("i8", std::int8_t{-1});
    file.entry("u16", std::uint16_t{0x1234});
    file.entry("i16", std::int16_t{-0x1234});
    file.entry("u32", std::uint32_t{0x12345678});
    file.entry("i32", std::int32_t{-0x12345678});
    file.entry("u64", std::uint64_t{0x123456789abcdef0});
    file.entry("i64", std::int64_t{-0x123456789abcdef0});
    file.entry("f32", 1.25f);
    file.entry("f64", -1e300);
    file.entry("bool", true);
    file.entry("str", "text");
    file.key("numbers", ValueType::array);
    file.array(ValueType::int16, 2);
    file.number(std::int16_t{1}).number(std::int16_t{-2});
    file.key("strings", ValueType::array);
    file.array(ValueType::string, 2);
    file.string("").string("abc");
    file.key("arrays", ValueType::array);
    file.array(ValueType::array, 2);
    file.array(ValueType::uint64, 1);
    file.u64(7);
    file.array(ValueType::string, 1);
    file.string("deep");
    return file;
}

}  // namespace

TEST_CASE("values are equal across encodings, and unequal to all others") {
    for (const Encoding left : all_encodings) {
        for (const Encoding right : all_encodings) {
            const Bytes a = every_type(left), b = every_type(right);
            const auto x = parse(a), y = parse(b);
            REQUIRE(x);
            REQUIRE(y);
            for (std::size_t i = 0; i < x->metadata().size(); ++i) {
                for (std::size_t k = 0; k < y->metadata().size(); ++k) {
                    CHECK((x->metadata()[i].value == y->metadata()[k].value) == (i == k));
                }
            }
        }
    }
}

TEST_CASE("equality looks at the type, the length and every bit") {
    const auto number = [](ValueType type, std::uint64_t value) { return Value::of_unsigned(type, value); };
    CHECK(number(ValueType::uint32, 1).view() != number(ValueType::int32, 1).view());
    CHECK(number(ValueType::uint32, 1).view() != number(ValueType::uint32, 2).view());
    CHECK(Value::of_string("a").view() != Value::of_string("ab").view());
    CHECK(Value::of_float32(0.0f).view() != Value::of_float32(-0.0f).view());
    const float nan = std::numeric_limits<float>::quiet_NaN();
    CHECK(Value::of_float32(nan).view() == Value::of_float32(nan).view());
    const Value empty_u8 = *Value::of_array(ValueType::uint8, {}), empty_i8 = *Value::of_array(ValueType::int8, {});
    CHECK(empty_u8.view() != empty_i8.view());
}

TEST_CASE("made values read back") {
    CHECK(all(Value::of_unsigned(ValueType::uint8, 255).view()) == "255 255 255 W W W ");
    CHECK(all(Value::of_unsigned(ValueType::uint16, 65535).view()) == "65535 65535 65535 W W W ");
    CHECK(all(Value::of_unsigned(ValueType::uint32, 7).view()) == "7 7 7 W W W ");
    CHECK(all(Value::of_unsigned(ValueType::uint64, top).view()) ==
          "18446744073709551615 R 1.8446744073709552e+19 W W W ");
    CHECK(all(Value::of_signed(ValueType::int8, -128).view()) == "R -128 -128 W W W ");
    CHECK(all(Value::of_signed(ValueType::int16, -300).view()) == "R -300 -300 W W W ");
    CHECK(all(Value::of_signed(ValueType::int32, -70000).view()) == "R -70000 -70000 W W W ");
    CHECK(all(Value::of_signed(ValueType::int64, -1).view()) == "R -1 -1 W W W ");
    CHECK(all(Value::of_unsigned(ValueType::uint8, 0x1ff).view()) == "255 255 255 W W W ");  // the low byte
    CHECK(all(Value::of_float32(0.5f).view()) == "W W 0.5 W W W ");
    CHECK(all(Value::of_float64(0.1).view()) == "W W 0.1 W W W ");
    CHECK(all(Value::of_bool(true).view()) == "W W W true W W ");
    CHECK(all(Value::of_bool(false).view()) == "W W W false W W ");
    CHECK(all(Value::of_string("word").view()) == "W W W W word W ");
    CHECK(Value::of_string("").view().as_string() == "");
    CHECK(all(Value::of_strings(std::vector<std::string>{"a", "b"}).view()) == "W W W W W 2 x str ");
    CHECK(Value::of_bool(true).view().encoding() == little_v3);
}

TEST_CASE("made arrays hold elements of one type") {
    const std::vector<Value> numbers{Value::of_unsigned(ValueType::uint16, 1),
                                     Value::of_unsigned(ValueType::uint16, 2)};
    const auto array = Value::of_array(ValueType::uint16, numbers);
    REQUIRE(array);
    CHECK(array->type() == ValueType::array);
    CHECK(array->view().as_array()->at(1)->as_unsigned() == 2);

    const std::vector<Value> arrays{*array, Value::of_strings(std::vector<std::string>{"x"})};
    const auto nested = Value::of_array(ValueType::array, arrays);
    REQUIRE(nested);
    CHECK(nested->view().as_array()->at(0) == array->view());
    CHECK(nested->view().as_array()->at(1)->as_array()->at(0)->as_string() == "x");

    const std::vector<Value> mixed{numbers[0], Value::of_bool(true)};
    const auto refused = Value::of_array(ValueType::uint16, mixed);
    REQUIRE(!refused);
    CHECK(refused.error().code == Errc::bad_argument);

    const std::vector<std::string> texts{"", "b"};
    const std::vector<Value> strings{Value::of_string(""), Value::of_string("b")};
    CHECK(Value::of_strings(texts).view() == Value::of_array(ValueType::string, strings)->view());
}

TEST_CASE("a copy is equal, in bytes of its own") {
    in_every_encoding([](Encoding encoding) {
        std::vector<Value> copies;
        {
            const Bytes file = every_type(encoding);
            const auto view = parse(file);
            REQUIRE(view);
            for (const KeyValue& entry : view->metadata()) copies.push_back(Value::copy_of(entry.value));
        }
        const Bytes same = every_type(little_v3);
        const auto view = parse(same);
        REQUIRE(view);
        REQUIRE(copies.size() == view->metadata().size());
        for (std::size_t i = 0; i < copies.size(); ++i) {
            CHECK(copies[i].type() == view->metadata()[i].value.type());
            CHECK(copies[i].view() == view->metadata()[i].value);
            CHECK(copies[i].view().encoding() == little_v3);
        }
    });
}
