// Models that are huge in numbers rather than bytes: comparing them takes memory in proportion to their size, whatever
// they say. Memory is what is asserted; the test's own time limit catches work that is quadratic.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdint>
#include <filesystem>
#include <ggufkit/diff/diff.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "container/allocations.hpp"
#include "diff/sequences.hpp"
#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

constexpr std::size_t mebi = 1 << 20;

Model opened(const std::filesystem::path& path) {
    auto model = Model::open(path);
    REQUIRE_MESSAGE(model, (model ? "" : model.error().message()));
    return std::move(*model);
}

// `count` strings, the last of which is `last` and the others empty.
Model with_strings(const std::filesystem::path& path, std::string_view key, std::uint64_t count,
                   std::string_view last) {
    Bytes file(little_v3, 0, 1);
    file.key(key, ValueType::array);
    file.array(ValueType::string, count);
    file.fill(8 * (count - 1)).string(last);
    write_file(path, file);
    return opened(path);
}

// So many tensors of eight floats, all of them `value`.
Model with_tensors(const std::filesystem::path& path, std::uint32_t count, std::string_view prefix, float value) {
    Bytes file(little_v3, count, 0);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::string name = fmt::format("{}.{}", prefix, i);
        file.tensor({.name = name, .ne = {8}, .offset = std::uint64_t{32} * i});
    }
    file.pad();
    for (std::uint32_t i = 0; i < 8 * count; ++i) file.number(value);
    write_file(path, file);
    return opened(path);
}

// One row of so many weights, in a file of holes; a byte in its middle is `byte`.
Model with_row(const std::filesystem::path& path, std::uint64_t weights, char byte) {
    Bytes file(little_v3, 1, 0);
    file.tensor({.name = "row", .ne = {weights, 1, 1, 1}, .type = TensorType::Q8_0});
    file.pad();
    write_file(path, file);
    const std::uint64_t bytes = weights / 32 * 34;
    std::filesystem::resize_file(path, file.size() + bytes);
    std::fstream data(path, std::ios::in | std::ios::out | std::ios::binary);
    data.seekp(static_cast<std::streamoff>(file.size() + bytes / 2)).put(byte);
    REQUIRE(data.flush());
    return opened(path);
}

}  // namespace

TEST_CASE("texts of more than a million lines are not looked into, those of a million are") {
    const std::string million(longest_to_diff - 1, '\n');
    CHECK(can_diff(million + "a", million + "b"));
    CHECK(diff_lines(million + "a", million + "b").size() == 1);
    const std::string more = std::string(8 * longest_to_diff, '\n');
    CHECK_FALSE(can_diff("a", more));
    CHECK_FALSE(can_diff(more, "a"));
    const HeapWatch watch;
    CHECK(diff_lines(more, "a").empty());
    CHECK(diff_lines("a", more).empty());
    CHECK(watch.peak() < mebi);
}

TEST_CASE("lists of more than a million strings are not looked into, those of a million are") {
    const TemporaryFolder folder;
    for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
        CAPTURE(key);
        const Model a = with_strings(folder / "a", key, longest_to_diff, "a");
        const Model b = with_strings(folder / "b", key, longest_to_diff, "b");
        const auto change = compare_tokenizers(a.header(), b.header());
        REQUIRE(change);
        CHECK(change->tokens.added + change->merges.added == 1);
        CHECK(diff_elements(*a.header().get_array(key), *b.header().get_array(key)).size() == 1);

        const Model more = with_strings(folder / "c", key, longest_to_diff + 1, "a");
        const HeapWatch watch;
        for (const auto& [one, other] : {std::pair(&a, &more), std::pair(&more, &a)}) {
            CHECK_FALSE(compare_tokenizers(one->header(), other->header()));
            CHECK(diff_elements(*one->header().get_array(key), *other->header().get_array(key)).empty());
        }
        CHECK(watch.peak() < mebi);
    }
}

TEST_CASE("a million elements that have nothing in common are replaced within a few MiB beyond their own") {
    std::vector<std::uint64_t> a(longest_to_diff), b(longest_to_diff);
    std::iota(a.begin(), a.end(), 0);
    std::iota(b.begin(), b.end(), longest_to_diff);
    const HeapWatch watch;
    CHECK(edits_between(a, b).size() == 2);
    CHECK(watch.peak() < 8 * mebi);
}

TEST_CASE("30000 tiny tensors, whatever became of them") {
    constexpr std::uint32_t count = 30'000;
    const TemporaryFolder folder;
    const Model a = with_tensors(folder / "a", count, "blk", 1), changed = with_tensors(folder / "b", count, "blk", 2),
                renamed = with_tensors(folder / "c", count, "other", 1);
    const std::size_t bytes = 2 * std::filesystem::file_size(folder / "a");
    for (const Model* b : {&a, &changed, &renamed}) {
        const HeapWatch watch;
        const auto diff = compare_models(a, *b, {.work = {.threads = 2}});
        REQUIRE(diff);
        CHECK(diff->tensors.size() + diff->tensors_equal == count);
        std::vector<TensorPair> pairs;
        for (const TensorChange& change : diff->tensors) pairs.push_back({change.a, change.b});
        CHECK(compare_values(a, *b, pairs, {.work = {.threads = 2}}));
        CHECK(watch.peak() < 8 * bytes);
    }
}

TEST_CASE("a row of a quarter of a gigabyte is compared within a few MiB") {
    constexpr std::uint64_t weights = 1 << 28;
    const TemporaryFolder folder;
    const Model a = with_row(folder / "a", weights, 0), b = with_row(folder / "b", weights, 1);
    const HeapWatch watch;
    const auto diff = compare_models(a, b, {.work = {.threads = 2}});
    REQUIRE(diff);
    REQUIRE(diff->tensors.size() == 1);
    CHECK(diff->tensors.front().blocks.differ == 1);
    const std::vector<TensorPair> pair{{diff->tensors.front().a, diff->tensors.front().b}};
    const auto values = compare_values(a, b, pair, {.work = {.threads = 2}});
    REQUIRE(values);
    CHECK(values->front().sums.elements == weights);
    CHECK(compare_values(a, b, pair, {.work = {.threads = 2}, .sample = 64}));
    CHECK(watch.peak() < 4 * mebi);
}
