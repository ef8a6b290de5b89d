// What compare_models() finds between two files, and what it does not mind.
#include <doctest/doctest.h>

#include <ggufkit/diff/diff.hpp>
#include <ggufkit/inspect/digests.hpp>
#include <numeric>
#include <string>
#include <vector>

#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using Kind = KeyChange::Kind;

namespace {

// Two models and their Diff, which borrows from them.
struct Compared {
    Model a;
    Model b;
    Diff diff;
};

Compared compare_files(const std::filesystem::path& a, const std::filesystem::path& b, unsigned threads = 2) {
    auto model_a = Model::open(a), model_b = Model::open(b);
    REQUIRE_MESSAGE(model_a, (model_a ? "" : model_a.error().message()));
    REQUIRE_MESSAGE(model_b, (model_b ? "" : model_b.error().message()));
    auto diff = compare_models(*model_a, *model_b, {.work = {.threads = threads}});
    REQUIRE(diff);
    return {std::move(*model_a), std::move(*model_b), std::move(*diff)};
}

Compared compare_models(const SmallModel& a, const SmallModel& b) {
    const TemporaryFolder folder;
    return compare_files(a.save(folder / "a.gguf"), b.save(folder / "b.gguf"));
}

}  // namespace

TEST_CASE("a model is the same in any container") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    model.tensor("wide", TensorType::F64, {3, 2})
        .tensor("words", TensorType::I16, {5})
        .tensor("odd", TensorType::IQ4_XS, {256, 2});
    const auto plain = model.save(folder / "plain.gguf");
    const auto same_as_plain = [&](const std::filesystem::path& other) {
        for (const auto& [a, b] : {std::pair(plain, other), std::pair(other, plain)}) {
            const Compared compared = compare_files(a, b);
            CHECK(compared.diff.same());
            CHECK(compared.diff.tensors_equal == model.tensors.size());
        }
    };
    SUBCASE("itself") { same_as_plain(plain); }
    SUBCASE("big-endian") { same_as_plain(model.save(folder / "b.gguf", {.order = ByteOrder::big})); }
    SUBCASE("alignment") { same_as_plain(model.save(folder / "b.gguf", {.alignment = 4096})); }
    SUBCASE("order of keys and tensors") { same_as_plain(model.save(folder / "b.gguf", {.backwards = true})); }
    SUBCASE("shards") { same_as_plain(model.save_split(folder / "b", 3)); }
}

TEST_CASE("versions 1 and 2 hold the same model as version 3") {
    const TemporaryFolder folder;
    std::vector<std::filesystem::path> paths;
    for (const Encoding encoding : all_encodings) {
        Bytes file(encoding, 1, 2);
        file.entry("general.architecture", "llama");
        file.key("list", ValueType::array);
        file.array(ValueType::uint16, 2);
        file.number(std::uint16_t{1}).number(std::uint16_t{772});
        file.tensor({.name = "t", .ne = {4, 2}});
        file.pad();
        for (const float value : {1.f, 2.f, 3.f, 4.f, 5.f, 6.f, 7.f, 8.f}) file.number(value);
        paths.emplace_back(folder / std::to_string(paths.size()));
        write_file(paths.back(), file);
    }
    for (const auto& path : paths) CHECK(compare_files(paths.front(), path).diff.same());
}

TEST_CASE("keys that were added, removed and changed, in order of key") {
    SmallModel a = small_llama(), b = small_llama();
    a.set("b.removed", "only here");
    b.set("a.added", 7u);
    b.set("general.name", "Another");
    b.set("llama.context_length", Value::of_unsigned(ValueType::uint64, 4096));  // the same number, another type
    const Compared compared = compare_models(a, b);
    const auto& keys = compared.diff.metadata;
    REQUIRE(keys.size() == 4);
    CHECK(keys[0].key == "a.added");
    CHECK(keys[0].kind == Kind::added);
    CHECK_FALSE(keys[0].a);
    CHECK(*keys[0].b->as_unsigned() == 7);
    CHECK(keys[1].key == "b.removed");
    CHECK(keys[1].kind == Kind::removed);
    CHECK(*keys[1].a->as_string() == "only here");
    CHECK_FALSE(keys[1].b);
    CHECK(keys[2].key == "general.name");
    CHECK(keys[2].kind == Kind::changed);
    CHECK(*keys[2].a->as_string() == "Small Llama");
    CHECK(*keys[2].b->as_string() == "Another");
    CHECK(keys[3].key == "llama.context_length");
    CHECK(keys[3].a->type() == ValueType::uint32);
    CHECK(keys[3].b->type() == ValueType::uint64);
    CHECK(compared.diff.tensors.empty());
    CHECK_FALSE(compared.diff.same());
}

TEST_CASE("tensors that were removed, added, retyped, reshaped or have other bytes") {
    SmallModel a = small_llama(), b = small_llama();
    b.remove("blk.0.attn_norm.weight");
    b.tensor("output.weight", TensorType::F16, {256, 10});
    b.remove("blk.0.attn_q.weight");
    b.tensor("blk.0.attn_q.weight", TensorType::Q5_K, {256, 256});
    b.at("blk.1.attn_v.weight").ne = {64, 256};
    b.at("token_embd.weight").bytes.back() ^= std::byte{1};
    const Compared compared = compare_models(a, b);
    const auto& tensors = compared.diff.tensors;
    REQUIRE(tensors.size() == 5);
    CHECK(compared.diff.tensors_equal == 5);
    CHECK(compared.diff.metadata.empty());

    CHECK(tensors[0].name == "token_embd.weight");
    CHECK(tensors[0].bytes_differ);
    CHECK(tensors[0].digest_a == *digest(compared.a, *compared.a.find_tensor("token_embd.weight")));
    CHECK(tensors[0].digest_b == *digest(compared.b, *compared.b.find_tensor("token_embd.weight")));
    CHECK(tensors[0].digest_a != tensors[0].digest_b);
    CHECK(tensors[1].name == "blk.0.attn_norm.weight");
    CHECK(tensors[1].a != nullptr);
    CHECK(tensors[1].b == nullptr);
    CHECK(tensors[2].name == "blk.0.attn_q.weight");
    CHECK(tensors[2].retyped);
    CHECK_FALSE(tensors[2].bytes_differ);
    CHECK(tensors[2].a->info->format->type() == TensorType::Q4_K);
    CHECK(tensors[2].b->info->format->type() == TensorType::Q5_K);
    CHECK(tensors[3].name == "blk.1.attn_v.weight");
    CHECK(tensors[3].reshaped);
    CHECK_FALSE(tensors[3].retyped);
    CHECK_FALSE(tensors[3].bytes_differ);
    CHECK(tensors[4].name == "output.weight");
    CHECK(tensors[4].a == nullptr);
    CHECK(tensors[4].b != nullptr);
}

TEST_CASE("dimensions of 1 at the end make no difference") {
    SmallModel a, b;
    a.tensor("t", TensorType::F32, {8});
    b.tensor("t", TensorType::F32, {8, 1, 1});
    CHECK(compare_models(a, b).diff.same());
}

TEST_CASE("one changed byte anywhere is found, whatever the byte order") {
    const TemporaryFolder folder;
    SmallModel model;
    model.tensor("t", TensorType::Q4_K, {256, 2048});  // more than is turned at once in a big-endian file
    const auto original = model.save(folder / "a.gguf");
    const std::size_t size = model.tensors[0].bytes.size();
    for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
        for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
            SmallModel changed = model;
            changed.tensors[0].bytes[at] ^= std::byte{0x10};
            const Compared compared = compare_files(original, changed.save(folder / "b.gguf", {.order = order}));
            REQUIRE(compared.diff.tensors.size() == 1);
            CHECK(compared.diff.tensors[0].bytes_differ);
        }
    }
}

TEST_CASE("a digest is the XXH3-128 of the bytes in little-endian order") {
    const TemporaryFolder folder;
    SmallModel model;
    model.tensor("t", TensorType::F32, {4});
    std::iota(reinterpret_cast<unsigned char*>(model.tensors[0].bytes.data()),
              reinterpret_cast<unsigned char*>(model.tensors[0].bytes.data() + 16), static_cast<unsigned char>(0));
    model.tensor("nothing", TensorType::F32, {4, 0});
    for (const ByteOrder order : {ByteOrder::little, ByteOrder::big}) {
        const auto file = Model::open(model.save(folder / "a.gguf", {.order = order}));
        REQUIRE(file);
        CHECK(digest(*file, *file->find_tensor("t"))->hex() == "72950631827607e2842812cc870dcae2");
        CHECK(digest(*file, *file->find_tensor("nothing"))->hex() == "99aa06d3014798d86001c324468d497f");
    }
    CHECK(Digest{.high = 0xab, .low = 1}.hex() == "00000000000000ab0000000000000001");
}

TEST_CASE("any number of threads finds the same, and reports all progress") {
    const TemporaryFolder folder;
    SmallModel a, b;
    for (int i = 0; i < 40; ++i) {
        const std::string name = "tensor." + std::to_string(i);
        a.tensor(name, TensorType::F32, {64});
        b.tensor(name, TensorType::F32, {64}, i % 3 == 0 ? 1 : 0);
    }
    const auto model_a = Model::open(a.save(folder / "a.gguf")), model_b = Model::open(b.save(folder / "b.gguf"));
    for (const unsigned threads : {1u, 2u, 7u, 64u}) {
        std::uint64_t last = 0, calls = 0;
        const auto progress = [&](const Progress& now) {
            const auto [done, total] = now;
            CHECK(done == last + 256);
            CHECK(total == 40 * 256);
            last = done;
            ++calls;
        };
        const auto diff = compare_models(*model_a, *model_b, {.work = {.threads = threads, .progress = progress}});
        REQUIRE(diff);
        CHECK(calls == 40);
        REQUIRE(diff->tensors.size() == 14);
        for (std::size_t i = 0; i < 14; ++i) CHECK(diff->tensors[i].name == "tensor." + std::to_string(3 * i));
    }
}

TEST_CASE("a request to stop ends a comparison") {
    const TemporaryFolder folder;
    const SmallModel model = small_llama();
    const auto file = Model::open(model.save(folder / "a.gguf"));
    std::stop_source stop;
    stop.request_stop();
    const auto diff = compare_models(*file, *file, {.work = {.stop = stop.get_token()}});
    REQUIRE_FALSE(diff);
    CHECK(diff.error().code == Errc::cancelled);
}

TEST_CASE("a file that changes meanwhile is an error, not a difference") {
    const TemporaryFolder folder;
    const SmallModel model = small_llama();
    const auto path = model.save(folder / "a.gguf");
    const auto a = Model::open(path), b = Model::open(model.save(folder / "b.gguf"));
    std::ofstream(path, std::ios::app) << "more";
    const auto diff = compare_models(*a, *b);
    REQUIRE_FALSE(diff);
    CHECK(diff.error().code == Errc::io_changed);
}

TEST_CASE("keys of three models") {
    const TemporaryFolder folder;
    SmallModel base, a, b;
    for (SmallModel* model : {&base, &a, &b})
        model->set("same", 1u).set("alike", 1u).set("other", 1u).set("only b", 1u);
    for (SmallModel* model : {&a, &b}) model->set("alike", 2u).set("general.file_type", 7u);
    a.set("other", 2u).set("added", 1u).set("ignored", 1u);
    b.set("other", 3u).set("only b", 2u);
    base.set("removed", 1u);
    // Both are near the base, and not so near to each other.
    base.set("near", Value::of_float64(1.0));
    a.set("near", Value::of_float64(0.9));
    b.set("near", Value::of_float64(1.1));
    const auto of_base = Model::open(base.save(folder / "base.gguf")), of_a = Model::open(a.save(folder / "a.gguf")),
               of_b = Model::open(b.save(folder / "b.gguf"));
    std::string text;
    for (const KeyOfThree& key : compare_metadata(of_base->header(), of_a->header(), of_b->header(),
                                                  {.ignored_keys = {"ignored"}, .tolerance = 0.11})) {
        const auto number = [](const std::optional<ValueView>& value) {
            return value ? std::to_string(*value->as_unsigned()) : "-";
        };
        text += key.key + ": " + number(key.base) + number(key.a) + number(key.b) + (key.differs_in_a ? " a" : "") +
                (key.differs_in_b ? " b" : "") + (key.alike ? " alike" : "") +
                (is_about_quantization(key.key) ? " quantized" : "") + "\n";
    }
    CHECK(text ==
          "added: -1- a\n"
          "alike: 122 a b alike\n"
          "general.file_type: -77 a b alike quantized\n"
          "only b: 112 b\n"
          "other: 123 a b\n"
          "removed: 1-- a b alike\n");
}

TEST_CASE("keys that say how a model was quantized") {
    for (const char* key : {"general.file_type", "general.quantization_version", "general.quantized_by",
                            "quantize.imatrix.file", "ggufkit.provenance.tool"}) {
        CHECK(is_about_quantization(key));
    }
    for (const char* key : {"general.architecture", "general.name", "tokenizer.chat_template", "quantized"}) {
        CHECK_FALSE(is_about_quantization(key));
    }
}
