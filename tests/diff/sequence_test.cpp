// Edits, hunks, lines, elements, tokenizers.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <ggufkit/diff/diff.hpp>
#include <random>
#include <string>
#include <vector>

#include "diff/sequences.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using Kind = Edit::Kind;
using Numbers = std::vector<std::uint64_t>;

namespace {

// What the edits make of A; checks that they say the truth about both.
Numbers applied(const std::vector<Edit>& edits, const Numbers& a, const Numbers& b) {
    Numbers made;
    std::uint64_t at_a = 0, at_b = 0;
    for (const Edit& edit : edits) {
        CHECK(edit.a == at_a);
        CHECK(edit.b == at_b);
        for (std::uint64_t n = 0; n < edit.count; ++n) {
            if (edit.kind == Kind::keep) CHECK(a[at_a] == b[at_b]);
            if (edit.kind != Kind::remove) made.push_back(b[at_b++]);
            if (edit.kind != Kind::add) ++at_a;
        }
    }
    CHECK(at_a == a.size());
    return made;
}

std::uint64_t count_of(const std::vector<Edit>& edits) {
    std::uint64_t count = 0;
    for (const Edit& edit : edits) count += edit.kind == Kind::keep ? 0 : edit.count;
    return count;
}

// By the table of longest common subsequences.
std::uint64_t fewest_edits(const Numbers& a, const Numbers& b) {
    std::vector<Numbers> longest(a.size() + 1, Numbers(b.size() + 1));
    for (std::size_t i = 0; i < a.size(); ++i) {
        for (std::size_t j = 0; j < b.size(); ++j) {
            longest[i + 1][j + 1] = a[i] == b[j] ? longest[i][j] + 1 : std::max(longest[i][j + 1], longest[i + 1][j]);
        }
    }
    return a.size() + b.size() - 2 * longest[a.size()][b.size()];
}

std::string unified(std::string_view a, std::string_view b, std::uint64_t context = 3) {
    const auto in_a = lines_of(a), in_b = lines_of(b);
    std::string text;
    for (const Hunk& hunk : diff_lines(a, b, context)) {
        text += fmt::format("@{},{} {},{}\n", hunk.a, hunk.count_a, hunk.b, hunk.count_b);
        for (const Edit& edit : hunk.edits) {
            for (std::uint64_t n = 0; n < edit.count; ++n) {
                text += edit.kind == Kind::keep ? ' ' : edit.kind == Kind::add ? '+' : '-';
                text += edit.kind == Kind::add ? in_b[edit.b + n] : in_a[edit.a + n];
                text += '\n';
            }
        }
    }
    return text;
}

}  // namespace

TEST_CASE("edits: the fewest, and they make B of A") {
    std::mt19937 random(7);
    for (int round = 0; round < 500; ++round) {
        const auto some = [&] {
            Numbers numbers(random() % 13);
            for (auto& number : numbers) number = random() % 4;
            return numbers;
        };
        const Numbers a = some(), b = some();
        const auto edits = edits_between(a, b);
        CHECK(applied(edits, a, b) == b);
        CHECK(count_of(edits) == fewest_edits(a, b));
    }
}

TEST_CASE("edits: sequences without end that have nothing in common are replaced as a whole") {
    Numbers a(100'000), b(100'000);
    for (std::size_t i = 0; i < a.size(); ++i) a[i] = i, b[i] = i + 1'000'000;
    a.front() = b.front() = 5;
    a.back() = b.back() = 6;
    const auto edits = edits_between(a, b);
    CHECK(edits == std::vector<Edit>{{Kind::keep, 0, 0, 1},
                                     {Kind::remove, 1, 1, 99'998},
                                     {Kind::add, 99'999, 1, 99'998},
                                     {Kind::keep, 99'999, 99'999, 1}});
}

TEST_CASE("lines: hunks with what is around them, near ones in one") {
    CHECK(unified("a\nb\nc\n", "a\nb\nc\n") == "");
    CHECK(unified("", "a\n") == "@0,0 0,1\n+a\n");
    CHECK(unified("a\n", "") == "@0,1 0,0\n-a\n");
    CHECK(unified("1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nfive\n6\n7\n8\n9\n", 1) ==
          "@3,3 3,3\n 4\n-5\n+five\n 6\n");
    CHECK(unified("1\n2\n3\n4\n5\n", "one\n2\n3\n4\nfive\n", 1) == "@0,2 0,2\n-1\n+one\n 2\n@3,2 3,2\n 4\n-5\n+five\n");
    CHECK(unified("1\n2\n3\n", "one\n2\nthree\n", 1) == "@0,3 0,3\n-1\n+one\n 2\n-3\n+three\n");
    CHECK(unified("a\nb", "a\nb\n") == "");  // who prints says that a newline is missing
}

TEST_CASE("elements: of any type, in any byte order, with their places") {
    const TemporaryFolder folder;
    SmallModel a, b;
    const auto numbers = [](std::vector<std::uint64_t> values) {
        std::vector<Value> elements;
        for (const auto value : values) elements.push_back(Value::of_unsigned(ValueType::uint32, value));
        return *Value::of_array(ValueType::uint32, elements);
    };
    a.set("n", numbers({1, 2, 3, 4, 5, 6, 7})).set("s", Value::of_strings(std::vector<std::string>{"x", "y"}));
    b.set("n", numbers({1, 2, 3, 9, 5, 6, 7, 8})).set("s", Value::of_strings(std::vector<std::string>{"y"}));
    const auto model_a = Model::open(a.save(folder / "a.gguf"));
    const auto model_b = Model::open(b.save(folder / "b.gguf", {.order = ByteOrder::big}));
    REQUIRE(model_a);
    REQUIRE(model_b);
    const auto hunks = diff_elements(*model_a->header().get_array("n"), *model_b->header().get_array("n"), 1);
    REQUIRE(hunks.size() == 2);
    CHECK(
        hunks[0].edits ==
        std::vector<Edit>{{Kind::keep, 2, 2, 1}, {Kind::remove, 3, 3, 1}, {Kind::add, 4, 3, 1}, {Kind::keep, 4, 4, 1}});
    CHECK(hunks[1].edits == std::vector<Edit>{{Kind::keep, 6, 6, 1}, {Kind::add, 7, 7, 1}});
    const auto strings = diff_elements(*model_a->header().get_array("s"), *model_b->header().get_array("s"), 0);
    REQUIRE(strings.size() == 1);
    CHECK(strings[0].edits == std::vector<Edit>{{Kind::remove, 0, 0, 1}});
}

TEST_CASE("tokenizers: tokens and merges added, removed, moved, scores and types") {
    const TemporaryFolder folder;
    const auto model = [&](std::vector<std::string> tokens, std::vector<std::string> merges, std::vector<float> scores,
                           std::vector<int> types, const char* name) {
        std::vector<Value> of_scores, of_types;
        for (const float score : scores) of_scores.push_back(Value::of_float32(score));
        for (const int type : types) of_types.push_back(Value::of_signed(ValueType::int32, type));
        SmallModel made;
        made.set("tokenizer.ggml.tokens", Value::of_strings(tokens));
        made.set("tokenizer.ggml.merges", Value::of_strings(merges));
        made.set("tokenizer.ggml.scores", *Value::of_array(ValueType::float32, of_scores));
        made.set("tokenizer.ggml.token_type", *Value::of_array(ValueType::int32, of_types));
        auto opened = Model::open(made.save(folder / name));
        REQUIRE(opened);
        return std::move(*opened);
    };
    const Model a = model({"<s>", "a", "b", "c", "gone"}, {"a b", "b c", "c d"}, {0, 1, 2, 3, 4}, {3, 1, 1, 1, 1}, "a");
    const Model b = model({"<s>", "a", "c", "b", "new", "n2"}, {"x y", "b c", "a b"}, {0, 1.5, 3, 2, 9, 9},
                          {3, 4, 1, 1, 1, 1}, "b");
    const TokenizerChange change = compare_tokenizers(a.header(), b.header()).value();
    CHECK(change.any());
    CHECK(change.tokens.size_a == 5);
    CHECK(change.tokens.size_b == 6);
    CHECK(change.tokens.added == 2);
    CHECK(change.tokens.removed == 1);
    CHECK(change.tokens.moved == 2);
    CHECK(change.tokens.first_added == std::vector<std::string_view>{"new", "n2"});
    CHECK(change.tokens.first_removed == std::vector<std::string_view>{"gone"});
    CHECK(change.merges.added == 1);
    CHECK(change.merges.removed == 1);
    CHECK(change.merges.moved == 2);
    CHECK(change.scores == 1);  // that of "a": those of "b" and "c" moved with them
    CHECK(change.max_score_change == 0.5);
    CHECK(change.types == 1);
    CHECK_FALSE(compare_tokenizers(a.header(), a.header())->any());
    const auto none = Model::open(SmallModel().save(folder / "none"));
    REQUIRE(none);
    CHECK(compare_tokenizers(a.header(), none->header())->tokens.removed == 5);
}

TEST_CASE("metadata: ignored keys and tolerance") {
    const TemporaryFolder folder;
    SmallModel a = small_llama(), b = small_llama();
    b.set("llama.attention.layer_norm_rms_epsilon", Value::of_float32(1.0001e-5f));
    b.set("general.name", "Other").set("general.note", "new");
    const auto model_a = Model::open(a.save(folder / "a.gguf")), model_b = Model::open(b.save(folder / "b.gguf"));
    const auto keys = [&](const DiffOptions& options) {
        const auto diff = compare_models(*model_a, *model_b, options);
        REQUIRE(diff);
        std::vector<std::string> names;
        for (const KeyChange& change : diff->metadata) names.push_back(change.key);
        return names;
    };
    const std::vector<std::string> all{"general.name", "general.note", "llama.attention.layer_norm_rms_epsilon"};
    CHECK(keys({}) == all);
    CHECK(keys({.ignored_keys = {"general.*"}}) == std::vector<std::string>{all[2]});
    CHECK(keys({.ignored_keys = {"general.nam?", "*.note"}, .tolerance = 0.001}).empty());
    CHECK(keys({.tolerance = 0.00001}) == all);
}

TEST_CASE("structure: renamed by content, blocks that differ by number") {
    const TemporaryFolder folder;
    SmallModel a = small_llama(), b = small_llama();
    b.at("blk.0.attn_q.weight").name = "model.layers.0.q";
    b.at("blk.0.attn_norm.weight").name = "x";
    b.at("x").bytes[0] ^= std::byte{1};
    auto& q = b.at("blk.1.attn_q.weight").bytes;
    for (const std::size_t block : {3u, 17u, 255u}) q[144 * block + 20] ^= std::byte{1};
    const auto model_a = Model::open(a.save(folder / "a.gguf"));
    const auto model_b = Model::open(b.save(folder / "b.gguf", {.order = ByteOrder::big}));
    const auto diff = compare_models(*model_a, *model_b);
    REQUIRE(diff);
    REQUIRE(diff->tensors.size() == 4);
    CHECK(diff->tensors[0].name == "blk.0.attn_norm.weight");
    CHECK(diff->tensors[0].b == nullptr);
    CHECK(diff->tensors[1].renamed);
    CHECK(diff->tensors[1].b->info->name == "model.layers.0.q");
    CHECK(diff->tensors[2].bytes_differ);
    CHECK(diff->tensors[2].blocks.blocks == 256);
    CHECK(diff->tensors[2].blocks.differ == 3);
    CHECK(diff->tensors[2].blocks.first == std::vector<std::uint64_t>{3, 17, 255});
    CHECK(diff->tensors[3].name == "x");
    CHECK(diff->tensors[3].a == nullptr);
    const auto fast = compare_models(*model_a, *model_b, {.bytes = false});
    REQUIRE(fast);
    CHECK(fast->tensors.size() == 4);  // two names gone, two new
}

TEST_CASE("blocks that differ, part by part, in any byte order") {
    const TemporaryFolder folder;
    SmallModel a, b;
    a.tensor("t", TensorType::Q4_0, {32, 4});
    b.tensors = a.tensors;
    auto& bytes = b.tensors[0].bytes;  // d of two bytes, then codes j and j + 16 in the nibbles of byte j
    bytes[18 * 2 + 1] ^= std::byte{1};
    bytes[18 * 2 + 2 + 5] ^= std::byte{0x10};
    const auto model_a = Model::open(a.save(folder / "a.gguf"));
    const auto model_b = Model::open(b.save(folder / "b.gguf", {.order = ByteOrder::big}));
    const ModelTensor &in_a = *model_a->find_tensor("t"), &in_b = *model_b->find_tensor("t");
    const auto parts = explain_difference(*model_a, in_a, *model_b, in_b, 2);
    REQUIRE(parts);
    const auto d = std::ranges::find(*parts, "d", &PartChange::name);
    const auto code = std::ranges::find(*parts, "code", &PartChange::name);
    REQUIRE(d != parts->end());
    REQUIRE(code != parts->end());
    CHECK(d->differ == 1);
    CHECK(code->count == 32);
    CHECK(code->differ == 1);
    REQUIRE(code->first.size() == 1);
    CHECK(code->first[0].index == 21);
    CHECK(std::abs(code->first[0].a - code->first[0].b) == 1);
    const auto same = explain_difference(*model_a, in_a, *model_b, in_b, 1);
    REQUIRE(same);
    for (const PartChange& part : *same) CHECK(part.differ == 0);
    CHECK_FALSE(explain_difference(*model_a, in_a, *model_b, in_b, 4));
}
