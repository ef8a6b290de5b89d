// Importance matrices: both forms of the file, and everything that is refused about them.
#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <map>
#include <string>

#include "support/goldens.hpp"
#include "support/imatrix_files.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

using Weights = std::vector<float>;

Weights weights_of(const Imatrix& imatrix, std::string_view tensor) {
    const auto found = imatrix.find(tensor);
    return {found.begin(), found.end()};
}

Error refusal(std::span<const std::byte> bytes) {
    const auto imatrix = Imatrix::parse(bytes);
    REQUIRE_FALSE(imatrix);
    CHECK_FALSE(imatrix.error().message().empty());
    return imatrix.error();
}

const std::string fixture = GGUFKIT_TEST_DATA "/tiny-llama.imatrix";

}  // namespace

TEST_CASE("imatrix: both forms of a real file say the same") {
    const auto gguf = Imatrix::open(fixture + ".gguf"), old = Imatrix::open(fixture + ".dat");
    REQUIRE_MESSAGE(gguf, gguf.error().message());
    REQUIRE_MESSAGE(old, old.error().message());
    for (const auto& imatrix : {*gguf, *old}) {
        CHECK(imatrix.entries().size() == 42);
        CHECK(imatrix.origin().dataset == "calibration.txt");
        CHECK(imatrix.origin().chunks == 351);
        CHECK(imatrix.find("token_embd.weight").empty());
        CHECK(imatrix.find("blk.0.ffn_down.weight").size() == 768);
    }
    CHECK(gguf->origin().file == fixture + ".gguf");
    for (const Imatrix::Entry& entry : gguf->entries()) {
        CAPTURE(entry.tensor);
        const auto other = old->find(entry.tensor);
        REQUIRE(other.size() == entry.weights.size());
        for (std::size_t i = 0; i < other.size(); ++i)
            CHECK(other[i] == doctest::Approx(entry.weights[i]).epsilon(1e-5));
    }
}

TEST_CASE("imatrix: importance is sums over counts, and one where nothing was counted") {
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        const auto imatrix = Imatrix::parse(gguf_imatrix({{"dense", {2, 4, 6}, {2}},
                                                          {"experts", {3, 6, 7, 8, 5, 0}, {3, 0, 2}},
                                                          {"one-count", {2, 4, 6, 8}, {2}, 2}},
                                                         order));
        REQUIRE_MESSAGE(imatrix, imatrix.error().message());
        CHECK(weights_of(*imatrix, "dense") == Weights{1, 2, 3});
        CHECK(weights_of(*imatrix, "experts") == Weights{1, 2, 1, 1, 2.5f, 0});
        CHECK(weights_of(*imatrix, "one-count") == Weights{1, 2, 3, 4});
        CHECK(weights_of(*imatrix, "unknown").empty());
        CHECK(imatrix->origin().dataset == "one.txt");
        CHECK(imatrix->origin().chunks == 7);
        CHECK(imatrix->origin().file.empty());
    }
}

TEST_CASE("imatrix: matrices that were never counted are listed, and a tensor of which none was has no entry") {
    auto imatrix = Imatrix::parse(gguf_imatrix(
        {{"some", {3, 6, 7, 8, 5, 0}, {3, 0, 2}}, {"none.a", {0, 0, 0, 0}, {0, 0}}, {"none.b", {5, 6}, {0}}}));
    REQUIRE_MESSAGE(imatrix, imatrix.error().message());
    CHECK(imatrix->entries().size() == 1);
    REQUIRE(imatrix->find_entry("some") != nullptr);
    CHECK(imatrix->find_entry("some")->unseen == std::vector<std::uint32_t>{1});
    CHECK(imatrix->find("none.a").empty());
    CHECK(imatrix->is_uncounted("none.a"));
    CHECK(imatrix->is_uncounted("none.b"));
    CHECK_FALSE(imatrix->is_uncounted("some"));
    CHECK_FALSE(imatrix->is_uncounted("unknown"));
    const std::vector<std::string> parts{"none.a"};
    CHECK(Imatrix(*imatrix).including(parts).is_uncounted("none.a"));
    CHECK_FALSE(Imatrix(*imatrix).including(parts).is_uncounted("none.b"));
    CHECK_FALSE(Imatrix(*imatrix).excluding(parts).is_uncounted("none.a"));
}

TEST_CASE("imatrix: the older form, with and without its trailer") {
    const std::vector<OldRecord> records{{"b", 4, {4, 8}}, {"a", 0, {3, 0.5f, 0}}};
    const auto plain = Imatrix::parse(old_imatrix(records));
    REQUIRE_MESSAGE(plain, plain.error().message());
    CHECK(weights_of(*plain, "b") == Weights{1, 2});
    CHECK(weights_of(*plain, "a") == Weights{3, 0.5f, 0});
    CHECK(plain->entries().front().tensor == "a");  // in order of name
    CHECK(plain->origin().chunks == 0);
    const auto named = Imatrix::parse(old_imatrix(records, 12, "text.txt"));
    REQUIRE_MESSAGE(named, named.error().message());
    CHECK(named->origin().chunks == 12);
    CHECK(named->origin().dataset == "text.txt");
}

TEST_CASE("imatrix: what is no number of importance is refused with its place") {
    const float bad[] = {-1, -std::numeric_limits<float>::denorm_min(), std::numeric_limits<float>::infinity(),
                         -std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()};
    for (const float value : bad) {
        CAPTURE(value);
        const auto sums = gguf_imatrix({{"t", {1, 2, value}, {1}}});
        const Error in_sums = refusal(sums);
        CHECK(in_sums.code == Errc::bad_semantics);
        CHECK(in_sums.subject == "tensor 't.in_sum2'");
        CHECK(in_sums.detail.starts_with("number 2 is "));
        CHECK(in_sums.offset == sums.size() - 64 + 8);
        CHECK(refusal(gguf_imatrix({{"t", {1, 2}, {value}}})).subject == "tensor 't.counts'");
        const Error in_old = refusal(old_imatrix({{"ok", 1, {1}}, {"t", 1, {1, value}}}));
        CHECK(in_old.code == Errc::bad_semantics);
        CHECK(in_old.offset == 4 + (4 + 2 + 8 + 4) + (4 + 1 + 8) + 4);
        CHECK(Imatrix::of({{"t", {1, value}}}).error().code == Errc::bad_semantics);
    }
    // Finite numbers whose quotient is not.
    CHECK(refusal(gguf_imatrix({{"t", {1e30f}, {1e-30f}}})).detail == "number 0 is inf");
}

TEST_CASE("imatrix: files that do not fit together") {
    CHECK(refusal(gguf_imatrix({{"t", {1}, {1}}}, ByteOrder::little, "model")).subject == "key 'general.type'");
    CHECK(refusal(gguf_imatrix({})).detail == "has no entries");
    CHECK(refusal(gguf_imatrix({{"t", {1, 2, 3, 4, 5, 6}, {1, 1}, 2}})).detail == "has 2 counts for 3 matrices");
    Header lonely;
    lonely.set("general.type", Value::of_string("imatrix"));
    for (const char* name : {"t.in_sum2", "t.counts"}) {
        lonely.tensors = {{.name = name, .n_dims = 1, .ne = {8, 1, 1, 1}}};
        const std::vector<std::byte> zeros(32);
        const auto file = write_to_memory(lonely, [&](std::size_t) { return std::span(zeros); });
        REQUIRE(file);
        CHECK(refusal(*file).subject == "tensor '" + std::string(name) + "'");
        lonely.tensors = {{.name = "t.in_sum2", .n_dims = 1, .ne = {16, 1, 1, 1}, .type = TensorType::F16},
                          {.name = "t.counts", .n_dims = 1}};
        const auto half =
            write_to_memory(lonely, [&](std::size_t i) { return std::span(zeros).first(i == 0 ? 32 : 4); });
        REQUIRE(half);
        CHECK(refusal(*half).detail == "is not of type F32");
    }
    CHECK(refusal(old_imatrix({{"a", 1, {1}}, {"b", 1, {1}}, {"a", 1, {1}}})).code == Errc::dup_tensor);
    CHECK(refusal(old_imatrix({{"a", 1, {}}})).detail == "has no numbers");
    CHECK(refusal(old_imatrix({{"a", -2, {1}}})).detail == "-2 is negative");
    CHECK(refusal(old_imatrix({})).detail.starts_with("this is a file of nothing but zeros, "));
    CHECK(Imatrix::open(fixture + ".gone").error().code == Errc::io_open);
}

TEST_CASE("imatrix: a file that ends anywhere before its end is refused, and no length makes anyone allocate") {
    const std::vector<OldRecord> records{{"first", 2, {1, 2, 3}}, {"second", 2, {4}}};
    const std::uint64_t entries_end = old_imatrix(records).size();
    const Bytes whole = old_imatrix(records, 3, "text");
    for (std::uint64_t size = 0; size < whole.size(); ++size) {
        CAPTURE(size);
        Bytes part = whole;
        const bool complete = size == entries_end || size == entries_end + 4;  // the trailer may be missing
        CHECK(Imatrix::parse(part.cut(size)).has_value() == complete);
    }
    const auto gguf = gguf_imatrix({{"t", {1, 2, 3}, {1}}});
    for (std::size_t size = 0; size + 28 < gguf.size(); ++size) {  // the last padding may be missing
        CAPTURE(size);
        CHECK_FALSE(Imatrix::parse(std::span(gguf).first(size)));
    }
    // Every length in turn as large as it can be.
    for (const std::uint64_t at : {0u, 4u, 17u, 33u, 47u}) {
        CAPTURE(at);
        Bytes lie = old_imatrix(records, 3, "text");
        for (std::uint64_t i = 0; i < 4; ++i) lie.set(at + i, i == 3 ? 0x7f : 0xff);
        CHECK_FALSE(Imatrix::parse(lie));
    }
}

TEST_CASE("imatrix: the fuzz corpus is what the seeds make") {
    std::map<std::string, std::string> files;
    for (const auto& [name, bytes] : imatrix_seeds()) {
        CAPTURE(name);
        CHECK(files.emplace(name, std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())).second);
    }
    check_golden_folder("fuzz/corpus-imatrix", files);
}
