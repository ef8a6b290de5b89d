// Writing: what was put in is what a reader finds, in either byte order and at every alignment; what a reader would
// refuse is not written.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <ggufkit/validate.hpp>
#include <ggufkit/writer.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "container/verdict.hpp"
#include "support/bytes.hpp"
#include "support/files.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

using File = std::vector<std::byte>;

constexpr std::array both_orders{ByteOrder::little, ByteOrder::big};

Header::Tensor tensor(std::string_view name, TensorType type, std::vector<std::uint64_t> ne) {
    Header::Tensor made{.name = std::string(name), .n_dims = static_cast<std::uint32_t>(ne.size()), .type = type};
    std::ranges::copy(ne, made.ne.begin());
    return made;
}

Value u32(std::uint32_t number) { return Value::of_unsigned(ValueType::uint32, number); }

// Bytes for every tensor that differ from one to the next.
std::vector<File> contents(const Header& header) {
    std::vector<File> all;
    std::uint32_t state = 1;
    for (const Header::Tensor& tensor : header.tensors) {
        File bytes(tensor_bytes(format_of(tensor.type), std::span(tensor.ne).first(tensor.n_dims)).value());
        for (std::byte& byte : bytes) byte = static_cast<std::byte>((state = state * 1664525 + 1013904223) >> 24);
        all.push_back(std::move(bytes));
    }
    return all;
}

File written(const Header& header, const std::vector<File>& data) {
    auto file = write_to_memory(header, [&](std::size_t i) { return std::span<const std::byte>(data[i]); });
    REQUIRE_MESSAGE(file, file.error().message());
    return std::move(*file);
}

// Everything that was put in, and nothing to complain about.
void check_file(const File& file, const Header& header, const std::vector<File>& data) {
    CHECK(findings(file, strictly) == "");
    const auto view = parse(file);
    REQUIRE(view);
    CHECK(view->version() == 3);
    CHECK(view->byte_order() == header.byte_order);
    REQUIRE(view->metadata().size() == header.metadata().size());
    for (std::size_t i = 0; i < header.metadata().size(); ++i) {
        CHECK(view->metadata()[i].key == header.metadata()[i].key);
        CHECK(view->metadata()[i].value == header.metadata()[i].value);
    }
    REQUIRE(view->tensors().size() == header.tensors.size());
    for (std::size_t i = 0; i < header.tensors.size(); ++i) {
        const TensorInfo& read = view->tensors()[i];
        const Header::Tensor& put = header.tensors[i];
        CAPTURE(put.name);
        CHECK(read.name == put.name);
        CHECK(read.n_dims == put.n_dims);
        CHECK(read.ne == put.ne);
        CHECK(read.type_id == static_cast<std::uint32_t>(put.type));
        const auto bytes = view->data(read);
        REQUIRE(bytes);
        CHECK(std::ranges::equal(*bytes, data[i]));
    }
}

Header every_value() {
    Header header;
    header.set("u8", Value::of_unsigned(ValueType::uint8, 200));
    header.set("i8", Value::of_signed(ValueType::int8, -100));
    header.set("u16", Value::of_unsigned(ValueType::uint16, 0x1234));
    header.set("i16", Value::of_signed(ValueType::int16, -0x1234));
    header.set("u32", u32(0x12345678));
    header.set("i32", Value::of_signed(ValueType::int32, -0x12345678));
    header.set("u64", Value::of_unsigned(ValueType::uint64, 0x123456789abcdef0));
    header.set("i64", Value::of_signed(ValueType::int64, -0x123456789abcdef0));
    header.set("f32", Value::of_float32(1.25f));
    header.set("f64", Value::of_float64(-1e300));
    header.set("yes", Value::of_bool(true));
    header.set("no", Value::of_bool(false));
    header.set("empty", Value::of_string(""));
    header.set("text", Value::of_string("Größe\n"));
    header.set("words", Value::of_strings(std::vector<std::string>{"", "a", "bc"}));

    // An array of each of the types so far, then arrays of all those arrays, two levels more.
    std::vector<Value> arrays;
    for (const Header::Entry& entry : std::vector(header.metadata())) {
        const Value element = Value::copy_of(entry.value);
        arrays.push_back(*Value::of_array(element.type(), std::vector(3, element)));
        header.set("three." + entry.key, arrays.back());
    }
    const Value nested = *Value::of_array(ValueType::array, arrays);
    header.set("nested", nested);
    header.set("deep", *Value::of_array(ValueType::array, std::vector(2, nested)));
    for (std::uint32_t id = 0; id <= static_cast<std::uint32_t>(ValueType::float64); ++id) {
        header.set(fmt::format("none.{}", id), *Value::of_array(static_cast<ValueType>(id), {}));
    }
    return header;
}

// What comes out when a parsed file is written again.
File rewritten(const ModelView& view) {
    const auto header = Header::from(view);
    REQUIRE(header);
    const auto file = write_to_memory(*header, [&](std::size_t i) { return view.data(view.tensors()[i]).value(); });
    REQUIRE_MESSAGE(file, file.error().message());
    return *file;
}

std::string refusal(const Header& header) {
    const auto layout = make_layout(header);
    if (layout) return "";
    CHECK(!layout.error().offset);  // there is no file yet
    return fmt::format("{} {}", name(layout.error().code), layout.error().subject);
}
std::string refusal(const Header::Tensor& tensor) {
    Header header;
    header.tensors = {tensor};
    return refusal(header);
}

}  // namespace

// ---------------------------------------------------------------- round trips

TEST_CASE("every type of value is read as it was written") {
    for (const ByteOrder order : both_orders) {
        Header header = every_value();
        header.byte_order = order;
        check_file(written(header, {}), header, {});
    }
}

TEST_CASE("every tensor type is read as it was written") {
    for (const ByteOrder order : both_orders) {
        Header header;
        header.byte_order = order;
        for (const FormatInfo& format : formats()) {
            if (!format.usable() || format.standing != Standing::active) continue;
            const std::uint64_t row = 2 * format.block_elements;
            header.tensors.push_back(tensor(fmt::format("{}.1", format.name), format.type(), {row}));
            header.tensors.push_back(tensor(fmt::format("{}.4", format.name), format.type(), {row, 3, 1, 2}));
        }
        REQUIRE(header.tensors.size() > 60);
        const auto data = contents(header);
        check_file(written(header, data), header, data);
    }
}

TEST_CASE("every shape is read as it was written") {
    Header header;
    header.tensors = {tensor("scalar", TensorType::F32, {}), tensor("row", TensorType::F16, {3}),
                      tensor("nothing", TensorType::F32, {4, 0, 2}), tensor("ones", TensorType::I8, {1, 1, 1, 1}),
                      tensor("after", TensorType::F64, {2, 3, 5})};
    const auto data = contents(header);
    check_file(written(header, data), header, data);
}

TEST_CASE("tensors stand at multiples of every alignment") {
    for (std::uint32_t alignment = 1; alignment <= 1u << 16; alignment *= 2) {
        CAPTURE(alignment);
        for (const ByteOrder order : both_orders) {
            Header header;
            header.byte_order = order;
            header.set("general.alignment", u32(alignment));
            header.tensors = {tensor("a", TensorType::I8, {5}), tensor("b", TensorType::Q4_0, {32, 3}),
                              tensor("c", TensorType::F32, {})};
            const auto data = contents(header);
            const File file = written(header, data);

            const auto layout = make_layout(header);
            REQUIRE(layout);
            CHECK(layout->alignment == alignment);
            CHECK(layout->header.size() == layout->data_offset);
            CHECK(layout->file_bytes == file.size());
            CHECK(layout->data_offset % alignment == 0);
            CHECK(file.size() % alignment == 0);
            CHECK(layout->offsets[0] == layout->data_offset);
            const std::array<std::uint64_t, 3> sizes{5, 54, 4};
            for (std::size_t i = 0; i < sizes.size(); ++i) {
                CHECK(layout->sizes[i] == sizes[i]);
                const std::uint64_t next = i + 1 < sizes.size() ? layout->offsets[i + 1] : layout->file_bytes;
                CHECK(next % alignment == 0);
                CHECK(next - layout->offsets[i] >= sizes[i]);
                CHECK(next - layout->offsets[i] < sizes[i] + alignment);
            }
            const auto view = parse(file);
            REQUIRE(view);
            CHECK(view->data_offset() == layout->data_offset);
            for (std::size_t i = 0; i < sizes.size(); ++i) {
                CHECK(view->data_offset() + view->tensors()[i].offset == layout->offsets[i]);
                CHECK(std::ranges::equal(*view->data(view->tensors()[i]), data[i]));
            }
            // Alignments below 8 are unusual, nothing else.
            const auto warned = validate(*view, strictly).diagnostics;
            CHECK(warned.size() == (alignment < 8 ? 1 : 0));
        }
    }
}

TEST_CASE("sources of every version and byte order are written as version 3") {
    in_every_encoding([](Encoding encoding) {
        Bytes source(encoding, 2, 4);
        source.entry("number", std::uint32_t{7});
        source.entry("text", "word");
        source.key("words", ValueType::array);
        source.array(ValueType::string, 2);
        source.string("a").string("bcd");
        source.key("arrays", ValueType::array);
        source.array(ValueType::array, 2);
        source.array(ValueType::int16, 1);
        source.number(std::int16_t{-2});
        source.array(ValueType::string, 1);
        source.string("deep");
        source.tensor({.name = "t", .ne = {8, 2}, .type = TensorType::F32});
        source.tensor({.name = "u", .ne = {3}, .type = TensorType::I8, .offset = 64});
        source.pad();
        for (std::uint8_t i = 0; i < 67; ++i) source.u8(i);
        source.pad();
        const auto view = parse(source);
        REQUIRE(view);
        auto header = Header::from(*view);
        REQUIRE(header);
        CHECK(header->byte_order == encoding.order);

        for (const ByteOrder order : both_orders) {
            header->byte_order = order;
            std::vector<File> data;
            for (const TensorInfo& info : view->tensors()) {
                const auto bytes = view->data(info).value();
                data.emplace_back(bytes.begin(), bytes.end());
            }
            const File file = written(*header, data);
            check_file(file, *header, data);
            if (encoding == Encoding{order, 3}) CHECK(std::ranges::equal(file, std::span<const std::byte>(source)));
        }
    });
}

TEST_CASE("a file without tensors ends with its header") {
    const File file = read_bytes(GGUFKIT_TEST_DATA "/ggml-vocab-bert-bge.gguf");
    const auto view = parse(file);
    REQUIRE(view);
    REQUIRE(view->tensors().empty());
    CHECK(rewritten(*view) == file);
}

TEST_CASE("a model of llama.cpp comes out byte for byte") {
    const File file = read_bytes(GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf");
    const auto view = parse(file);
    REQUIRE(view);
    REQUIRE(!view->tensors().empty());
    CHECK(rewritten(*view) == file);
}

TEST_CASE("the same header gives the same bytes") {
    Header header = every_value();
    header.tensors = {tensor("a", TensorType::Q6_K, {512, 3}), tensor("b", TensorType::F32, {7})};
    const auto data = contents(header);
    const File file = written(header, data);
    CHECK(written(header, data) == file);

    const Header copy = header;  // what it owns is still there when the original is not
    header = Header();
    CHECK(written(copy, data) == file);
}

// ---------------------------------------------------------------- the header

TEST_CASE("set replaces in place, set_last moves to the end, remove removes") {
    const auto keys = [](const Header& header) {
        std::string text;
        for (const Header::Entry& entry : header.metadata()) {
            text += fmt::format("{}={} ", entry.key, entry.value.as_unsigned().value());
        }
        return text;
    };
    Header header;
    for (std::uint32_t i = 0; const std::string key : {"a", "b", "c", "d"}) header.set(key, u32(i++));
    CHECK(keys(header) == "a=0 b=1 c=2 d=3 ");
    header.set("b", u32(10));
    CHECK(keys(header) == "a=0 b=10 c=2 d=3 ");
    header.set_last("b", u32(11));
    CHECK(keys(header) == "a=0 c=2 d=3 b=11 ");
    header.set_last("e", u32(12));
    CHECK(keys(header) == "a=0 c=2 d=3 b=11 e=12 ");
    CHECK(header.remove("a"));
    CHECK(!header.remove("a"));
    CHECK(keys(header) == "c=2 d=3 b=11 e=12 ");
    header.set("d", u32(13));  // found where it is now
    header.set("a", u32(14));
    CHECK(keys(header) == "c=2 d=13 b=11 e=12 a=14 ");
    header.set_last(header.metadata()[0].key, u32(15));  // the argument is the text that goes
    CHECK(keys(header) == "d=13 b=11 e=12 a=14 c=15 ");

    const Value elsewhere = u32(16);
    header.set("e", elsewhere.view());
    CHECK(keys(header) == "d=13 b=11 e=16 a=14 c=15 ");
}

TEST_CASE("what is set wins over what the source had") {
    Bytes source(big_v3, 0, 2);
    source.entry("general.alignment", std::uint32_t{64});
    source.entry("general.name", "old");
    const auto view = parse(source);
    REQUIRE(view);
    auto header = Header::from(*view);
    REQUIRE(header);
    header->set("general.name", Value::of_string("new"));
    header->tensors.push_back(tensor("t", TensorType::F32, {1}));
    CHECK(make_layout(*header)->alignment == 64);
    header->set("general.alignment", u32(128));
    CHECK(make_layout(*header)->alignment == 128);
    header->remove("general.alignment");
    CHECK(make_layout(*header)->alignment == default_alignment);
    const auto data = contents(*header);
    const File file = written(*header, data);
    check_file(file, *header, data);
    CHECK(parse(file)->get_string("general.name") == "new");
}

TEST_CASE("a header is not made from tensors of unknown type") {
    for (const std::uint32_t id : {4u, 36u, 9999u}) {  // removed, foreign, nobody's
        TensorFile file(little_v3, {{.name = "t", .ne = {32}, .type = static_cast<TensorType>(id)}}, 0);
        const auto view = parse(file);
        REQUIRE(view);
        const auto header = Header::from(*view);
        REQUIRE(!header);
        CHECK(header.error().code == Errc::bad_tensor_type);
        CHECK(header.error().subject == "tensor 't'");
        CHECK(header.error().offset == file.at[0].record);
    }
}

// ---------------------------------------------------------------- refusals

TEST_CASE("no header is written that could not be read") {
    const auto with = [](std::string_view key, Value value) {
        Header header;
        header.set(key, std::move(value));
        return refusal(header);
    };
    CHECK(with("", u32(1)).starts_with("BAD_KEY"));
    CHECK(with("ключ", u32(1)).starts_with("BAD_KEY"));
    CHECK(with(std::string_view("a\0b", 3), u32(1)).starts_with("BAD_KEY"));
    CHECK(with(std::string(65536, 'k'), u32(1)).starts_with("BAD_KEY"));
    CHECK(with(std::string(65535, 'k'), u32(1)) == "");
    for (const std::uint32_t alignment : {0u, 3u, 48u, 1u << 31}) {
        CHECK(with("general.alignment", u32(alignment)) == "BAD_ALIGN key 'general.alignment'");
    }
    CHECK(with("general.alignment", Value::of_unsigned(ValueType::uint64, 32)).starts_with("BAD_ALIGN_TYPE"));

    const auto f32 = [](std::string_view name) { return refusal(tensor(name, TensorType::F32, {1})); };
    CHECK(f32("").starts_with("BAD_NAME"));
    CHECK(f32("\xff").starts_with("BAD_NAME"));
    CHECK(f32(std::string_view("a\0b", 3)).starts_with("BAD_NAME"));
    CHECK(f32(std::string(64, 'n')) == "");
    CHECK(f32(std::string(65, 'n')).starts_with("NAME_TOO_LONG"));
    Header twice;
    twice.tensors = {tensor("a", TensorType::F32, {1}), tensor("b", TensorType::F32, {1}),
                     tensor("a", TensorType::F16, {2})};
    CHECK(refusal(twice) == "DUP_TENSOR tensor 'a'");

    CHECK(refusal(tensor("t", TensorType::Q4_0, {33})) == "BAD_ROW tensor 't'");
    CHECK(refusal(tensor("t", TensorType::Q4_K, {128, 2})) == "BAD_ROW tensor 't'");
    CHECK(refusal(tensor("t", static_cast<TensorType>(4), {32})) == "BAD_TENSOR_TYPE tensor 't'");
    constexpr std::uint64_t big = std::uint64_t{1} << 32;
    CHECK(refusal(tensor("t", TensorType::F32, {big, big})) == "SIZE_OVERFLOW tensor 't'");
    CHECK(refusal(tensor("t", TensorType::F32, {std::uint64_t{1} << 62})) == "SIZE_OVERFLOW tensor 't'");
    Header::Tensor flat = tensor("t", TensorType::F32, {1, 1, 1, 1});
    flat.n_dims = 5;
    CHECK(refusal(flat) == "BAD_NDIMS tensor 't'");

    Header huge;  // each fits, together they do not
    for (const char* name : {"a", "b", "c"}) {
        huge.tensors.push_back(tensor(name, TensorType::I8, {(std::uint64_t{1} << 63) - 64}));
    }
    CHECK(refusal(huge).starts_with("OFFSET_OVERFLOW"));
}

TEST_CASE("a key that comes twice in the source is not written") {
    Bytes source(little_v3, 0, 2);
    source.entry("k", std::uint32_t{1});
    source.entry("k", std::uint32_t{2});
    const auto view = parse(source);
    REQUIRE(view);
    const auto header = Header::from(*view);
    REQUIRE(header);
    CHECK(refusal(*header) == "DUP_KEY key 'k'");
}

TEST_CASE("the data of a tensor has to have the tensor's size") {
    Header header;
    header.tensors = {tensor("t", TensorType::F32, {2})};
    for (const std::size_t size : {0u, 7u, 9u}) {
        const File bytes(size);
        const auto file = write_to_memory(header, [&](std::size_t) { return std::span<const std::byte>(bytes); });
        REQUIRE(!file);
        CHECK(file.error().code == Errc::bad_argument);
        CHECK(file.error().subject == "tensor 't'");
    }
    header.tensors = {tensor("t", TensorType::I8, {std::uint64_t{1} << 60})};  // is not allocated
    const auto file = write_to_memory(header, [](std::size_t) { return std::span<const std::byte>(); });
    REQUIRE(!file);
    CHECK(file.error().code == Errc::bad_argument);
}
