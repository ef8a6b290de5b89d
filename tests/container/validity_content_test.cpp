// Content that is wrong in a file whose structure is right: numbers of quantized blocks, and metadata that contradicts
// itself or the tensors.
#include <doctest/doctest.h>

#include <cstdint>
#include <cstring>
#include <ggufkit/quant/quantize.hpp>
#include <limits>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "container/verdict.hpp"
#include "support/bytes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

struct Scale {
    TensorType type;
    std::vector<std::size_t> offsets;  // of the numbers that must be finite, in a block
};

const std::vector<Scale> half_scales{
    {TensorType::F16, {0}},       {TensorType::Q4_0, {0}},    {TensorType::Q4_1, {0, 2}}, {TensorType::Q5_0, {0}},
    {TensorType::Q5_1, {0, 2}},   {TensorType::Q8_0, {0}},    {TensorType::Q1_0, {0}},    {TensorType::Q2_0, {0}},
    {TensorType::Q2_K, {80, 82}}, {TensorType::Q3_K, {108}},  {TensorType::Q4_K, {0, 2}}, {TensorType::Q5_K, {0, 2}},
    {TensorType::Q6_K, {208}},    {TensorType::IQ2_XXS, {0}}, {TensorType::IQ2_XS, {0}},  {TensorType::IQ2_S, {0}},
    {TensorType::IQ3_XXS, {0}},   {TensorType::IQ3_S, {0}},   {TensorType::IQ1_S, {0}},   {TensorType::IQ4_NL, {0}},
    {TensorType::IQ4_XS, {0}},    {TensorType::TQ1_0, {52}},  {TensorType::TQ2_0, {64}},
};

// Five zero blocks of which the fourth has `value` at `offset`; what check_blocks() says about them.
template <class T>
Result<void> check_with(TensorType type, std::size_t offset, T value) {
    const std::size_t block = format_of(type).block_bytes;
    std::vector<std::byte> blocks(5 * block);
    std::memcpy(blocks.data() + 3 * block + offset, &value, sizeof value);
    return check_blocks(type, blocks);
}

template <class T>
void expect_bad(TensorType type, std::size_t offset, T value) {
    CAPTURE(format_of(type).name);
    CAPTURE(offset);
    CAPTURE(value);
    const auto checked = check_with(type, offset, value);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == Errc::bad_quant);
    CHECK(checked.error().offset == 3 * format_of(type).block_bytes);
}

template <class T>
void expect_good(TensorType type, std::size_t offset, T value) {
    CAPTURE(format_of(type).name);
    CAPTURE(offset);
    CAPTURE(value);
    CHECK(check_with(type, offset, value));
}

}  // namespace

TEST_CASE("Q1 half-precision scales that are not finite") {
    for (const auto& [type, offsets] : half_scales) {
        for (const std::size_t offset : offsets) {
            for (const unsigned bits : {0x7c00u, 0xfc00u, 0x7c01u, 0x7e00u, 0xfe00u, 0x7fffu, 0xffffu}) {
                expect_bad(type, offset, static_cast<std::uint16_t>(bits));
            }
            for (const unsigned bits : {0x7bffu, 0xfbffu, 0x0001u, 0x8000u, 0x3c00u}) {
                expect_good(type, offset, static_cast<std::uint16_t>(bits));
            }
        }
    }
}

TEST_CASE("Q1 the scale of IQ1_M that is spread over four words") {
    const std::size_t block = format_of(TensorType::IQ1_M).block_bytes;
    const auto check = [&](std::uint16_t half, std::uint16_t low_bits) {
        std::vector<std::byte> blocks(5 * block);
        for (std::size_t word = 0; word < 4; ++word) {
            const auto value = static_cast<std::uint16_t>((half >> 4 * word & 15) << 12 | low_bits);
            std::memcpy(blocks.data() + 3 * block + 48 + 2 * word, &value, 2);
        }
        return check_blocks(TensorType::IQ1_M, blocks);
    };
    for (const unsigned half : {0x7c00u, 0xfc00u, 0x7c01u, 0x7e00u, 0xffffu}) {
        const auto checked = check(static_cast<std::uint16_t>(half), 0);
        REQUIRE_FALSE(checked);
        CHECK(checked.error().code == Errc::bad_quant);
        CHECK(checked.error().offset == 3 * block);
    }
    CHECK(check(0x7bff, 0xfff));  // the sub-block scales are no part of it
    CHECK(check(0x0001, 0xfff));
}

TEST_CASE("Q1 floats that are not finite") {
    constexpr float infinity = std::numeric_limits<float>::infinity();
    constexpr double wide_infinity = std::numeric_limits<double>::infinity();
    for (const TensorType type : {TensorType::F32, TensorType::Q8_K}) {
        for (const float value : {infinity, -infinity, std::numeric_limits<float>::quiet_NaN()})
            expect_bad(type, 0, value);
        for (const float value : {std::numeric_limits<float>::max(), -0.0f, 1e-45f}) expect_good(type, 0, value);
    }
    for (const unsigned bits : {0x7f80u, 0xff80u, 0x7f81u, 0x7fc0u, 0xffffu}) {
        expect_bad(TensorType::BF16, 0, static_cast<std::uint16_t>(bits));
    }
    expect_good(TensorType::BF16, 0, std::uint16_t{0x7f7f});
    expect_good(TensorType::BF16, 0, std::uint16_t{0x7c00});  // infinite only as a half
    expect_bad(TensorType::F64, 0, wide_infinity);
    expect_bad(TensorType::F64, 0, std::numeric_limits<double>::quiet_NaN());
    expect_good(TensorType::F64, 0, std::numeric_limits<double>::max());
}

TEST_CASE("Q1 an E8M0 of 255") {
    expect_bad(TensorType::MXFP4, 0, std::uint8_t{255});
    expect_good(TensorType::MXFP4, 0, std::uint8_t{254});
    expect_good(TensorType::MXFP4, 0, std::uint8_t{0});
    expect_good(TensorType::MXFP4, 1, std::uint8_t{255});  // codes may be anything
}

TEST_CASE("Q1 integers and codes may be anything") {
    const std::vector<std::byte> ones(1024, std::byte{0xff});
    for (const TensorType type : {TensorType::I8, TensorType::I16, TensorType::I32, TensorType::I64}) {
        CHECK(check_blocks(type, ones));
    }
    for (const FormatInfo& format : formats()) {
        if (format.usable()) CHECK(check_blocks(format.type(), {}));
    }
}

TEST_CASE("Q1 one NaN anywhere in a long row is found where it is") {
    std::vector<float> row(259, 1.0f);
    for (std::size_t i = 0; i < row.size(); ++i) {
        row[i] = std::numeric_limits<float>::quiet_NaN();
        const auto checked = check_blocks(TensorType::F32, std::as_bytes(std::span(row)));
        REQUIRE_FALSE(checked);
        CHECK(checked.error().offset == 4 * i);
        row[i] = 1.0f;
    }
    CHECK(check_blocks(TensorType::F32, std::as_bytes(std::span(row))));
}

namespace {

// A consistent little model; each case makes it contradict itself in one way.
struct LittleModel {
    std::string_view architecture = "llama";
    std::uint32_t block_count = 2;
    std::uint32_t head_count = 4;
    std::uint32_t head_count_kv = 2;
    std::uint32_t bos = 1;
    std::size_t scores = 3;
    std::size_t token_types = 3;
    std::uint64_t rows = 3;
    std::string_view last_block = "blk.1.attn_q.weight";
};

struct Laid {
    Bytes file;
    std::map<std::string, std::uint64_t> at{};  // of keys and tensors
};

Laid lay_down(Encoding encoding, const LittleModel& model) {
    Laid laid{Bytes(encoding, 3, 8)};
    const auto place = [&](std::string_view key, KeyPlace where) { laid.at[std::string(key)] = where.value; };
    const auto number = [&](std::string_view key, std::uint32_t value) { place(key, laid.file.entry(key, value)); };
    place("general.architecture", laid.file.entry("general.architecture", model.architecture));
    number("llama.block_count", model.block_count);
    number("llama.attention.head_count", model.head_count);
    number("llama.attention.head_count_kv", model.head_count_kv);
    number("tokenizer.ggml.bos_token_id", model.bos);

    place("tokenizer.ggml.tokens", laid.file.key("tokenizer.ggml.tokens", ValueType::array));
    laid.file.array(ValueType::string, 3);
    laid.file.string("<s>").string("a").string("b");
    place("tokenizer.ggml.scores", laid.file.key("tokenizer.ggml.scores", ValueType::array));
    laid.file.array(ValueType::float32, model.scores);
    laid.file.fill(4 * model.scores);
    place("tokenizer.ggml.token_type", laid.file.key("tokenizer.ggml.token_type", ValueType::array));
    laid.file.array(ValueType::int32, model.token_types);
    laid.file.fill(4 * model.token_types);

    std::uint64_t offset = 0;
    const auto tensor = [&](std::string_view name, std::vector<std::uint64_t> ne) {
        const std::uint64_t bytes = 4 * ne[0] * ne[1];
        laid.at[std::string(name)] = laid.file.tensor({.name = name, .ne = std::move(ne), .offset = offset}).record;
        offset += bytes;
    };
    tensor("token_embd.weight", {8, model.rows});
    tensor("blk.0.attn_q.weight", {8, 8});
    tensor(model.last_block, {8, 8});
    laid.file.pad().fill(offset);
    return laid;
}

// check_semantics() of a model that is otherwise valid.
std::string contradictions(const Bytes& file) {
    CHECK(findings(file) == "");
    const auto view = parse(file);
    REQUIRE(view);
    std::string text;
    for (const Diagnostic& diagnostic : check_semantics(*view).diagnostics)
        text += described(diagnostic.severity, diagnostic.error);
    return text;
}

void expect(const LittleModel& model, Severity severity, const std::string& place) {
    in_every_encoding([&](Encoding encoding) {
        const Laid laid = lay_down(encoding, model);
        CHECK(contradictions(laid.file) == finding(severity, Errc::bad_semantics, laid.at.at(place)));
    });
}

}  // namespace

TEST_CASE("C1 a consistent model") {
    in_every_encoding([](Encoding encoding) {
        CHECK(contradictions(lay_down(encoding, {}).file) == "");
        CHECK(contradictions(Bytes(encoding, 0, 0)) != "");  // no architecture
    });
}

TEST_CASE("K35 known keys of another kind") {
    in_every_encoding([](Encoding encoding) {
        const auto check = [&](std::string_view key, bool sound, const auto& value) {
            CAPTURE(std::string(key));
            Bytes file(encoding, 0, 2);
            file.entry("general.architecture", "llama");
            const std::uint64_t place = value(file);
            CHECK(contradictions(file) == (sound ? "" : error(Errc::bad_semantics, place)));
        };
        const auto text = [&](std::string_view key, bool sound) {
            check(key, sound, [&](Bytes& file) { return file.entry(key, "4").value; });
        };
        const auto number = [&](std::string_view key, bool sound) {
            check(key, sound, [&](Bytes& file) { return file.entry(key, std::uint32_t{4}).value; });
        };
        const auto array = [&](std::string_view key, ValueType type, bool sound) {
            check(key, sound, [&](Bytes& file) {
                const KeyPlace at = file.key(key, ValueType::array);
                file.array(type, 0);
                return at.value;
            });
        };
        for (const char* key :
             {"general.name", "tokenizer.ggml.model", "tokenizer.ggml.pre", "tokenizer.chat_template"}) {
            text(key, true);
            number(key, false);
            array(key, ValueType::string, false);
        }
        for (const char* key : {"general.file_type", "llama.block_count", "llama.context_length",
                                "llama.embedding_length", "llama.expert_count", "tokenizer.ggml.eos_token_id"}) {
            text(key, false);
            number(key, true);
            array(key, ValueType::uint32, false);
        }
        for (const char* key : {"llama.feed_forward_length", "llama.attention.head_count",
                                "llama.attention.head_count_kv", "llama.expert_used_count"}) {
            text(key, false);
            number(key, true);
            array(key, ValueType::int32, true);
            array(key, ValueType::string, false);
        }
        for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
            number(key, false);
            array(key, ValueType::string, true);
            array(key, ValueType::uint32, false);
        }
        array("tokenizer.ggml.scores", ValueType::float32, true);
        array("tokenizer.ggml.scores", ValueType::boolean, false);
        array("tokenizer.ggml.token_type", ValueType::int32, true);
        array("tokenizer.ggml.token_type", ValueType::float32, false);
        text("other.block_count", true);  // another architecture's key means nothing here
    });
}

TEST_CASE("C1 an importance matrix has no architecture, but none without a name either") {
    in_every_encoding([](Encoding encoding) {
        for (const auto& [type, needs_one] :
             {std::pair("imatrix", false), std::pair("model", true), std::pair("adapter", true)}) {
            CAPTURE(std::string(type));
            Bytes file(encoding, 0, 1);
            file.entry("general.type", type);
            CHECK((contradictions(file) != "") == needs_one);
            Bytes other(encoding, 0, 2);
            other.entry("general.type", type);
            const KeyPlace key = other.entry("general.architecture", "");
            CHECK(contradictions(other) == warning(Errc::bad_semantics, key.value));
        }
    });
}

TEST_CASE("C1 an architecture without a name") {
    Bytes file(little_v3, 0, 1);
    const KeyPlace key = file.entry("general.architecture", "");
    CHECK(contradictions(file) == warning(Errc::bad_semantics, key.value));
    Bytes number(little_v3, 0, 1);
    const KeyPlace other = number.entry("general.architecture", std::uint32_t{1});
    CHECK(contradictions(number) == warning(Errc::bad_semantics, other.value));
}

TEST_CASE("C1 a token id beyond the vocabulary") {
    expect({.bos = 3}, Severity::warning, "tokenizer.ggml.bos_token_id");
    expect({.bos = 0xffffffff}, Severity::warning, "tokenizer.ggml.bos_token_id");
    CHECK(contradictions(lay_down(little_v3, {.bos = 2}).file) == "");
}

TEST_CASE("C1 token arrays of unequal length") {
    expect({.scores = 2}, Severity::error, "tokenizer.ggml.scores");
    expect({.scores = 0}, Severity::error, "tokenizer.ggml.scores");
    expect({.token_types = 4}, Severity::error, "tokenizer.ggml.token_type");
}

TEST_CASE("C1 fewer rows of embeddings than tokens") {
    expect({.rows = 2}, Severity::error, "token_embd.weight");
    CHECK(contradictions(lay_down(little_v3, {.rows = 4}).file) == "");  // padded vocabularies are common
}

TEST_CASE("C1 no heads and heads that do not divide") {
    expect({.head_count = 0}, Severity::error, "llama.attention.head_count");
    in_every_encoding([](Encoding encoding) {
        const Laid laid = lay_down(encoding, {.head_count = 5});
        CHECK(contradictions(laid.file).starts_with("warning BAD_SEMANTICS"));
    });
    CHECK(contradictions(lay_down(little_v3, {.head_count_kv = 0}).file).find("error") == std::string::npos);
}

TEST_CASE("C1 a block count that the tensors contradict") {
    for (const std::uint32_t blocks : {3u, 1000u, 0xffffffffu}) {
        expect({.block_count = blocks}, Severity::error, "llama.block_count");
    }
    in_every_encoding([](Encoding encoding) {
        CHECK(contradictions(lay_down(encoding, {.block_count = 1}).file).find("error BAD_SEMANTICS") !=
              std::string::npos);
        CHECK(contradictions(lay_down(encoding, {.last_block = "blk.7.attn_q.weight"}).file)
                  .find("error BAD_SEMANTICS") != std::string::npos);
    });
}

TEST_CASE("C1 an array by block that has another length") {
    in_every_encoding([](Encoding encoding) {
        for (const std::uint64_t length : {0u, 2u}) {
            Bytes file(encoding, 1, 3);
            file.entry("general.architecture", "llama");
            file.entry("llama.block_count", std::uint32_t{1});
            const KeyPlace heads = file.key("llama.attention.head_count_kv", ValueType::array);
            file.array(ValueType::uint32, length);
            for (std::uint64_t i = 0; i < length; ++i) file.u32(4);
            file.tensor({.name = "blk.0.attn_q.weight", .ne = {8}});
            file.pad().fill(32);
            CHECK(contradictions(file) == error(Errc::bad_semantics, heads.value));
        }
    });
}

TEST_CASE("C1 quantized tensors without a quantization version or with another") {
    const auto lay_down = [](Encoding encoding, TensorType type, std::uint64_t bytes, std::uint32_t version) {
        Bytes file(encoding, 1, version == 0 ? 1 : 2);
        file.entry("general.architecture", "llama");
        if (version != 0) file.entry("general.quantization_version", version);
        file.tensor({.name = "output.weight", .ne = {32}, .type = type});
        return file.pad().fill(bytes).pad();
    };
    in_every_encoding([&](Encoding encoding) {
        for (const std::uint32_t version : {0u, 1u, 3u}) {
            CHECK(
                contradictions(lay_down(encoding, TensorType::Q4_0, 18, version)).starts_with("warning BAD_SEMANTICS"));
        }
        CHECK(contradictions(lay_down(encoding, TensorType::Q4_0, 18, 2)) == "");
        CHECK(contradictions(lay_down(encoding, TensorType::F16, 64, 0)) == "");
    });
}
