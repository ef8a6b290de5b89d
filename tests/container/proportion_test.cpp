// Files that are huge in numbers rather than bytes: what they cost has to stay in proportion to their size. Memory is
// what is asserted; the test's own time limit catches work that is quadratic (300,000 keys compared with one another
// are 45 billion comparisons).
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdint>
#include <string>

#include "container/allocations.hpp"
#include "container/verdict.hpp"
#include "support/bytes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr std::size_t small_change = 64 << 10;

// Parses and validates within `factor` bytes of heap for each byte of the file, and few allocations for each of its
// `records`, which are its keys or tensors: never its strings or elements.
void check_cost(const Bytes& file, std::size_t records, std::size_t factor, const std::string& expected = "") {
    CAPTURE(file.size());
    const HeapWatch watch;
    {
        const auto view = parse(file);
        REQUIRE(view);
        CHECK(validate(*view).diagnostics.size() == (expected.empty() ? 0 : 1));
    }
    CHECK(watch.peak() <= factor * file.size() + small_change);
    CHECK(watch.calls() <= 2 * records + 200);
    CHECK(findings(file) == expected);
}

}  // namespace

TEST_CASE("R01 300000 keys") {
    in_every_encoding([](Encoding encoding) {
        constexpr std::uint32_t count = 300'000;
        Bytes file(encoding, 0, count);
        for (std::uint32_t i = 0; i < count; ++i) file.entry(fmt::format("key.{}", i), i);
        check_cost(file, count, 8);
        const auto view = parse(file);
        REQUIRE(view);
        for (std::uint32_t i = 0; i < count; i += 4999)
            CHECK(view->get_unsigned(fmt::format("key.{}", i)).value() == i);
        CHECK(view->find_key("key.300000") == nullptr);
    });
}

TEST_CASE("R01 300000 keys of the same length with one duplicate") {
    constexpr std::uint32_t count = 300'000;
    Bytes file(little_v3, 0, count);
    for (std::uint32_t i = 1; i < count; ++i) file.entry(fmt::format("{:032}", i), std::uint8_t{1});
    const KeyPlace last = file.entry(fmt::format("{:032}", 150'000), std::uint8_t{1});
    check_cost(file, count, 8, error(Errc::dup_key, last.key));
}

TEST_CASE("R01 100000 tensors") {
    in_every_encoding([](Encoding encoding) {
        constexpr std::uint32_t count = 100'000;
        Bytes file(encoding, count, 0);
        for (std::uint32_t i = 0; i < count; ++i) {
            const std::string name = fmt::format("blk.{}.w", i);
            file.tensor({.name = name, .ne = {8}, .offset = std::uint64_t{32} * i});
        }
        file.pad().fill(std::uint64_t{32} * count);
        check_cost(file, count, 8);
        const auto view = parse(file);
        REQUIRE(view);
        CHECK(view->find_tensor("blk.99999.w")->offset == 32u * 99'999);
    });
}

TEST_CASE("R01 100000 tensors in reverse order") {
    constexpr std::uint32_t count = 100'000;
    Bytes file(little_v3, count, 0);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::string name = fmt::format("{}", i);
        file.tensor({.name = name, .ne = {8}, .offset = std::uint64_t{32} * (count - 1 - i)});
    }
    file.pad().fill(std::uint64_t{32} * count);
    const auto view = parse(file);
    REQUIRE(view);
    CHECK(check_structure(*view).valid());
}

TEST_CASE("R01 100000 tensors at the same place") {
    constexpr std::uint32_t count = 100'000;
    Bytes file(little_v3, count, 0);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::string name = fmt::format("{}", i);
        file.tensor({.name = name, .ne = {8}});
    }
    file.pad().fill(32);
    const auto view = parse(file);
    REQUIRE(view);
    CHECK_FALSE(check_structure(*view).valid());
}

TEST_CASE("R01 8 million empty strings") {
    constexpr std::uint64_t count = 8'000'000;
    for (const Encoding encoding : {little_v3, big_v3, Encoding{ByteOrder::little, 1}}) {
        Bytes file(encoding, 0, 1);
        file.key("tokenizer.ggml.tokens", ValueType::array);
        file.array(ValueType::string, count);
        file.fill(count * encoding.length_size());
        check_cost(file, 1, 0);
        const auto strings = parse(file)->get_array("tokenizer.ggml.tokens");
        REQUIRE(strings);
        CHECK(strings->size() == count);
    }
}

TEST_CASE("R01 arrays 5000 deep") {
    Bytes file(little_v3, 0, 1);
    file.key("deep", ValueType::array);
    for (int level = 0; level < 5000; ++level) file.array(ValueType::array, 1);
    file.array(ValueType::uint8, 0);
    const HeapWatch watch;
    { CHECK(parse(file).error().code == Errc::depth); }
    CHECK(watch.peak() <= small_change);
}

TEST_CASE("R01 many arrays side by side at the deepest level allowed") {
    constexpr std::uint32_t count = 200'000;
    for (const Encoding encoding : all_encodings) {
        Bytes file(encoding, 0, 1);
        file.key("bushy", ValueType::array);
        for (std::uint32_t level = 2; level < Limits{}.array_depth; ++level) file.array(ValueType::array, 1);
        file.array(ValueType::array, count);
        for (std::uint32_t i = 0; i < count; ++i) file.array(ValueType::uint8, 0);
        check_cost(file, 1, 0);
    }
}

TEST_CASE("R01 a small file that announces a large one") {
    in_every_encoding([](Encoding encoding) {
        const std::uint64_t huge = std::uint64_t{1} << (encoding.version == 1 ? 31 : 40);
        Bytes keys(encoding, 0, huge);
        Bytes tensors(encoding, huge, 0);
        Bytes array(encoding, 0, 1);
        array.key("key", ValueType::array);
        array.array(ValueType::string, huge);
        for (Bytes* file : {&keys, &tensors, &array}) {
            file->fill(1000);
            const HeapWatch watch;
            { CHECK_FALSE(parse(*file)); }
            CHECK(watch.peak() <= small_change);
        }
    });
}

TEST_CASE("R01 more records than the reader is told to take") {
    in_every_encoding([](Encoding encoding) {
        Bytes keys(encoding, 0, 3), tensors(encoding, 3, 0);
        for (const std::string_view name : {"a", "b", "c"}) {
            keys.entry(name, std::uint8_t{1});
            tensors.tensor({.name = name, .ne = {0}});
        }
        tensors.pad();
        CHECK(findings(keys, {}, {.records = 3}) == "");
        CHECK(findings(tensors, {}, {.records = 3}) == "");
        CHECK(findings(keys, {}, {.records = 2}) == error(Errc::count_impossible, 8 + encoding.length_size()));
        CHECK(findings(tensors, {}, {.records = 2}) == error(Errc::count_impossible, 8));
    });
}

TEST_CASE("R01 the room for records is not reserved before they are seen") {
    // A million bytes could hold 40,000 tensors; here they hold one, and rubbish.
    Bytes file(little_v3, 20'000, 0);
    file.tensor({.name = "only", .ne = {8}});
    file.fill(1 << 20, 0xff);
    const HeapWatch watch;
    { CHECK(parse(file).error().code == Errc::length_past_eof); }
    CHECK(watch.peak() <= 4 * file.size() + small_change);
}
