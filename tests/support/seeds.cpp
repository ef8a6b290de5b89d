#include "support/seeds.hpp"

#include <ggufkit/format.hpp>
#include <string>
#include <utility>

namespace ggufkit::test {

using namespace std::string_view_literals;

namespace {

constexpr std::uint64_t max_u64 = ~std::uint64_t{0};

void nested_array(Bytes& file, std::string_view key) {
    file.key(key, ValueType::array);
    file.array(ValueType::array, 3);
    file.array(ValueType::uint16, 2);
    file.number(std::uint16_t{1}).number(std::uint16_t{2});
    file.array(ValueType::string, 1);
    file.string("deep");
    file.array(ValueType::array, 1);
    file.array(ValueType::boolean, 0);
}

// A file without tensors whose one entry `lay_down` writes.
template <class LayDown>
Bytes one_key(LayDown lay_down) {
    Bytes file(little_v3, 0, 1);
    lay_down(file);
    return file;
}

Bytes one_tensor(const TensorRecord& record, std::uint64_t data_bytes = 32) {
    return TensorFile(little_v3, {record}, data_bytes).bytes;
}

Bytes two_tensors(TensorRecord a, TensorRecord b, std::uint64_t data_bytes = 96) {
    a.name = "a";
    if (b.name == "t") b.name = "b";
    return TensorFile(little_v3, {a, b}, data_bytes).bytes;
}

void header_seeds(std::vector<Seed>& seeds) {
    seeds.push_back({"H01-empty", Bytes(little_v3)});
    seeds.push_back({"H01-magic-only", Bytes(little_v3).raw("GGUF")});
    seeds.push_back({"H01-cut-in-counts", Bytes(big_v3, 0, 0).cut(20)});
    seeds.push_back({"H03-wrong-magic", Bytes(little_v3).raw("GGML").u32(3).u64(0).u64(0)});
    for (const auto& [name, text] :
         {std::pair{"H03-git-lfs-pointer"sv, "version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 12\n"sv},
          {"H03-html-page"sv, "<!DOCTYPE html>\n<html><title>Not found</title></html>\n"sv},
          {"H03-json-error"sv, "{\"error\": \"Repository not found\"}"sv},
          {"H03-text"sv, "Entry not found"sv},
          {"H03-zip"sv, "PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl"sv},
          {"H03-safetensors"sv, "\x0d\0\0\0\0\0\0\0{\"a.weight\":0}"sv},
          {"H03-pickle"sv, "\x80\2}q\0."sv},
          {"H03-tokenizer-model"sv, "\n\x0e\n\5<unk>\x15\0\0\0\0\x18\2"sv},
          {"H03-onnx"sv, "\x08\7\x12\7pytorch"sv},
          {"H03-imatrix-dat"sv, "\1\0\0\0\1\0\0\0a\1\0\0\0\1\0\0\0\0\0\x80\x3f"sv},
          {"H03-zeros"sv, "\0\0\0\0\0\0\0\0"sv}}) {
        seeds.push_back({name, Bytes(little_v3).raw(text)});
    }
    seeds.push_back({"H04-version-0", Bytes(little_v3).raw("GGUF").u32(0).u64(0).u64(0)});
    seeds.push_back({"H04-version-4", Bytes(big_v3).raw("GGUF").u32(4).u64(0).u64(0)});
    Bytes mixed = Bytes(little_v3).raw("GGUF").u32(3).raw("\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\1"sv);
    seeds.push_back({"H07-mixed-orders", mixed.fill(96)});
    seeds.push_back({"H09-tensors-2-62", Bytes(little_v3, std::uint64_t{1} << 62, 0).fill(32)});
    seeds.push_back({"H09-keys-all-ones", Bytes(little_v3, 0, max_u64).fill(32)});
}

void metadata_seeds(std::vector<Seed>& seeds) {
    const auto add = [&](std::string_view name, auto lay_down) { seeds.push_back({name, one_key(lay_down)}); };
    add("K01-key-past-end", [](Bytes& f) { f.length(max_u64).raw("key").u32(0).u8(1); });
    add("K01-string-past-end", [](Bytes& f) { f.key("key", ValueType::string), f.length(5).raw("text"); });
    add("K03-empty-key", [](Bytes& f) { f.entry("", std::uint8_t{1}); });
    add("K05-nul-in-key", [](Bytes& f) { f.entry("general.alignment\0x"sv, std::uint32_t{64}); });
    add("K07-key-not-ascii", [](Bytes& f) { f.entry("schl\xc3\xbcssel", true); });
    add("K10-value-type-13", [](Bytes& f) { f.key("key", static_cast<ValueType>(13)), f.fill(16); });
    add("K10-element-type-13", [](Bytes& f) {
        f.key("key", ValueType::array);
        f.array(static_cast<ValueType>(13), 1);
        f.fill(16);
    });
    add("K12-bool-2", [](Bytes& f) { f.key("key", ValueType::boolean), f.u8(2); });
    add("K16-string-not-utf8", [](Bytes& f) { f.entry("general.name", "\xed\xa0\x80"); });
    add("K16-token-not-utf8", [](Bytes& f) {
        f.key("tokenizer.ggml.tokens", ValueType::array);
        f.array(ValueType::string, 2);
        f.string("ok").string("\xc0\x80");
    });
    add("K18-nested-arrays", [](Bytes& f) { nested_array(f, "nested"); });
    add("K18-arrays-65-deep", [](Bytes& f) {
        f.key("deep", ValueType::array);
        for (int level = 1; level < 65; ++level) f.array(ValueType::array, 1);
        f.array(ValueType::uint8, 0);
    });
    add("K20-array-length-wraps", [](Bytes& f) {
        f.key("key", ValueType::array);
        f.array(ValueType::uint64, (std::uint64_t{1} << 61) + 1);
        f.fill(16);
    });
    add("K24-empty-arrays", [](Bytes& f) { f.key("empty", ValueType::array), f.array(ValueType::string, 0); });
    add("K25-cut-in-value", [](Bytes& f) { f.entry(std::string(24, 'k'), 1.5), f.cut(f.size() - 3); });
    add("K27-alignment-0", [](Bytes& f) { f.entry("general.alignment", std::uint32_t{0}); });
    add("K27-alignment-13", [](Bytes& f) { f.entry("general.alignment", std::uint32_t{13}); });
    add("K27-alignment-4", [](Bytes& f) { f.entry("general.alignment", std::uint32_t{4}); });
    add("K30-alignment-u64", [](Bytes& f) { f.entry("general.alignment", std::uint64_t{64}); });

    Bytes duplicate(little_v3, 0, 2);
    duplicate.entry("twice", std::uint32_t{1});
    duplicate.entry("twice", "text");
    seeds.push_back({"K04-duplicate-key", duplicate});

    Bytes split(little_v3, 0, 3);
    split.entry("split.no", std::uint16_t{2});
    split.entry("split.count", std::uint16_t{2});
    split.entry("split.tensors.count", std::int32_t{1});
    seeds.push_back({"S01-split-number-past-count", split});

    Bytes joined(little_v3, 0, 2);
    joined.entry("split.no", std::uint16_t{0});
    joined.entry("split.count", std::uint16_t{2});
    joined.raw("GGUF").u32(3).length(0).length(0);
    seeds.push_back({"S02-joined-shards", joined});
}

void tensor_seeds(std::vector<Seed>& seeds) {
    const auto add = [&](std::string_view name, const TensorRecord& record) {
        seeds.push_back({name, one_tensor(record)});
    };
    const std::string name64(64, 'n');
    const std::string name65(65, 'n');
    add("T01-name-past-end", {.ne = {8}, .name_length = max_u64});
    add("T01-name-64-bytes", {.name = name64, .ne = {8}});
    add("T01-name-65-bytes", {.name = name65, .ne = {8}});
    add("T02-empty-name", {.name = "", .ne = {8}});
    add("T02-nul-in-name", {.name = "output.weight\0x"sv, .ne = {8}});
    add("T08-five-dimensions", {.ne = {8, 1, 1, 1, 1}});
    add("T10-scalar", {.ne = {}});
    add("T13-negative-dimension", {.ne = {8, max_u64}});
    add("T15-elements-wrap", {.ne = {std::uint64_t{1} << 32, std::uint64_t{1} << 32}, .type = TensorType::I8});
    add("T15-bytes-wrap", {.ne = {std::uint64_t{1} << 62}});
    add("T15-padding-wraps", {.ne = {(std::uint64_t{1} << 63) - 1}, .type = TensorType::I8});
    add("T22-type-unknown", {.ne = {256}, .type = static_cast<TensorType>(43)});
    add("T22-type-removed", {.ne = {256}, .type = static_cast<TensorType>(4)});
    add("T22-type-foreign", {.ne = {256}, .type = static_cast<TensorType>(137)});
    seeds.push_back({"T22-type-for-activations", one_tensor({.ne = {32}, .type = TensorType::Q8_1}, 64)});
    add("T26-row-of-half-blocks", {.ne = {16, 2}, .type = TensorType::Q4_0});
    add("O02-offset-wraps", {.ne = {8}, .offset = max_u64 - 31});
    add("O05-gap-before", {.ne = {0}, .offset = 32});
    seeds.push_back({"T05-duplicate-name", two_tensors({.ne = {8}}, {.name = "a", .ne = {8}, .offset = 32}, 64)});
    seeds.push_back({"O01-misaligned", two_tensors({.ne = {4}}, {.ne = {4}, .offset = 16}, 32)});
    seeds.push_back({"O03-overlap", two_tensors({.ne = {16}}, {.ne = {8}, .offset = 32}, 64)});
    seeds.push_back({"O05-gap-between", two_tensors({.ne = {8}}, {.ne = {8}, .offset = 64})});
    seeds.push_back({"O05-out-of-order", two_tensors({.ne = {8}, .offset = 32}, {.ne = {8}}, 64)});
    seeds.push_back({"O07-data-short", one_tensor({.ne = {8}}, 31)});
    seeds.push_back({"O07-data-absent", one_tensor({.ne = {8}}, 0)});
    seeds.push_back({"O11-trailing-data", one_tensor({.ne = {8}}, 33)});
    Bytes dirty = one_tensor({.ne = {7}});
    seeds.push_back({"O11-padding-not-zero", dirty.set(dirty.size() - 1, 1)});
    seeds.push_back({"O13-last-padding-missing", one_tensor({.ne = {7}}, 28)});
    Bytes cut(little_v3, 1, 0);
    cut.tensor({.name = name64, .ne = {8, 8}});
    seeds.push_back({"T28-cut-in-dimensions", cut.cut(cut.size() - 15)});
}

// One contradiction each, in files whose structure is right.
void semantic_seeds(std::vector<Seed>& seeds) {
    const auto model = [](std::uint64_t keys, auto entries) {
        Bytes file(little_v3, 2, keys + 1);
        file.entry("general.architecture", "llama");
        entries(file);
        file.tensor({.name = "token_embd.weight", .ne = {8, 2}});
        file.tensor({.name = "blk.0.attn_q.weight", .ne = {32}, .type = TensorType::Q8_0, .offset = 64});
        return file.pad().fill(128);
    };
    const auto add = [&](std::string_view name, std::uint64_t keys, auto entries) {
        seeds.push_back({name, model(keys, entries)});
    };
    const auto tokens = [](Bytes& file, std::uint64_t count) {
        file.key("tokenizer.ggml.tokens", ValueType::array);
        file.array(ValueType::string, count);
        for (std::uint64_t i = 0; i < count; ++i) file.string("t");
    };
    add("C1-no-quantization-version", 0, [](Bytes&) {});
    add("C1-token-id", 2, [&](Bytes& f) { tokens(f, 2), f.entry("tokenizer.ggml.bos_token_id", std::uint32_t{2}); });
    add("C1-unequal-arrays", 2, [&](Bytes& f) {
        tokens(f, 2);
        f.key("tokenizer.ggml.scores", ValueType::array);
        f.array(ValueType::float32, 3);
        f.fill(12);
    });
    add("C1-more-tokens-than-rows", 1, [&](Bytes& f) { tokens(f, 3); });
    add("C1-no-heads", 1, [](Bytes& f) { f.entry("llama.attention.head_count", std::uint32_t{0}); });
    add("C1-heads-do-not-divide", 2, [](Bytes& f) {
        f.entry("llama.attention.head_count", std::uint32_t{5});
        f.entry("llama.attention.head_count_kv", std::uint32_t{2});
    });
    add("K35-count-is-text", 1, [](Bytes& f) { f.entry("llama.block_count", "1"); });
    add("K35-tokens-are-numbers", 1, [](Bytes& f) {
        f.key("tokenizer.ggml.tokens", ValueType::array);
        f.array(ValueType::uint32, 2);
        f.u32(4).u32(4);
    });
    add("C1-block-count", 1, [](Bytes& f) { f.entry("llama.block_count", std::uint32_t{2}); });
    add("C1-per-block-array", 2, [](Bytes& f) {
        f.entry("llama.block_count", std::uint32_t{1});
        f.key("llama.attention.head_count", ValueType::array);
        f.array(ValueType::uint32, 2);
        f.u32(4).u32(4);
    });
}

}  // namespace

Bytes rich_file(Encoding encoding) {
    struct Part {
        std::string_view name;
        std::vector<std::uint64_t> ne;
        TensorType type;
    };
    const std::vector<Part> parts{
        {"token_embd.weight", {64, 3}, TensorType::Q8_0},
        {"blk.0.attn_norm.weight", {7}, TensorType::F32},
        {"blk.0.attn_q.weight", {256, 1}, TensorType::Q4_K},
        {"empty", {32, 0}, TensorType::F16},
        {"scalar", {}, TensorType::I64},
        {"four", {2, 3, 1, 2}, TensorType::BF16},
    };
    Bytes file(encoding, parts.size(), 17);
    file.entry("general.architecture", "llama");
    file.entry("general.alignment", std::uint32_t{64});
    file.entry("u8", std::uint8_t{200});
    file.entry("i8", std::int8_t{-100});
    file.entry("u16", std::uint16_t{0x1234});
    file.entry("i16", std::int16_t{-2});
    file.entry("u32", std::uint32_t{0x12345678});
    file.entry("i32", std::int32_t{-3});
    file.entry("u64", max_u64 - 1);
    file.entry("i64", std::int64_t{-4});
    file.entry("f32", 1.5f);
    file.entry("f64", -2.5);
    file.entry("bool", true);
    file.key("tokenizer.ggml.tokens", ValueType::array);
    file.array(ValueType::string, 3);
    file.string("<s>").string("").string("größe");
    file.key("tokenizer.ggml.scores", ValueType::array);
    file.array(ValueType::float32, 3);
    for (const float score : {0.0f, -1.0f, -2.0f}) file.number(score);
    nested_array(file, "nested");
    file.key("none", ValueType::array);
    file.array(ValueType::array, 0);

    const auto padded = [](std::uint64_t bytes) { return (bytes + 63) / 64 * 64; };
    std::vector<std::uint64_t> sizes;
    std::uint64_t offset = 0;
    for (const Part& part : parts) {
        file.tensor({.name = part.name, .ne = part.ne, .type = part.type, .offset = offset});
        std::uint64_t elements = 1;
        for (const std::uint64_t extent : part.ne) elements *= extent;
        const FormatInfo& format = format_of(part.type);
        sizes.push_back(elements / format.block_elements * format.block_bytes);
        offset += padded(sizes.back());
    }
    file.pad(64);
    for (const std::uint64_t size : sizes) file.fill(size, 0x31).fill(padded(size) - size);
    return file;
}

std::vector<Seed> seeds() {
    std::vector<Seed> seeds{
        {"valid-v3-little", rich_file(little_v3)},
        {"valid-v3-big", rich_file(big_v3)},
        {"valid-v2-little", rich_file({ByteOrder::little, 2})},
        {"valid-v2-big", rich_file({ByteOrder::big, 2})},
        {"valid-v1-little", rich_file({ByteOrder::little, 1})},
        {"valid-v1-big", rich_file({ByteOrder::big, 1})},
        {"valid-nothing-inside", Bytes(little_v3, 0, 0)},
    };
    header_seeds(seeds);
    metadata_seeds(seeds);
    tensor_seeds(seeds);
    semantic_seeds(seeds);
    return seeds;
}

}  // namespace ggufkit::test
