// gguf-info --json, field by field.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <limits>
#include <set>

#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/seeds.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

std::set<std::string> keys_of(const json::value& object) {
    std::set<std::string> keys;
    for (const auto& entry : object.as_object()) keys.emplace(entry.key());
    return keys;
}

const json::object& entry_of(const json::object& document, std::string_view list, std::string_view field,
                             std::string_view wanted) {
    for (const json::value& entry : document.at(list).as_array()) {
        const json::value& name = entry.at(field);
        if (name.is_string() && std::string_view(name.as_string()) == wanted) return entry.as_object();
    }
    FAIL("no entry " << wanted);
    return document;
}

const json::value& value_of(const json::object& document, std::string_view key) {
    return entry_of(document, "metadata", "key", key).at("value");
}

// Free of control characters.
bool is_calm(std::string_view text) {
    return text.find("\xc2\x9b") == text.npos &&
           std::ranges::none_of(text, [](char c) { return (c >= 0 && c < 32 && c != '\n') || c == 127; });
}

}  // namespace

TEST_CASE("the document has the fields of spec/json.md") {
    const TemporaryFolder folder;
    const SmallModel model = small_llama();
    const auto path = model.save(folder / "m.gguf", {.alignment = 64});
    const CommandResult result = run_tool("gguf-info", {path.string(), "--json"});
    CHECK(result.exit_code == 0);
    CHECK(std::ranges::count(result.text(), '\n') == 1);
    const json::object document = json_of(result);
    CHECK(keys_of(document) == std::set<std::string>{"version", "byte_order", "alignment", "data_offset",
                                                     "announced_keys", "announced_tensors", "complete", "file_bytes",
                                                     "parameters", "active_parameters", "bpw", "file_type", "metadata",
                                                     "tensors", "diagnostics"});
    CHECK(document.at("complete").as_bool());
    const auto file = Model::open(path);
    CHECK(document.at("version") == 3);
    CHECK(document.at("byte_order") == "little");
    CHECK(document.at("alignment") == 64);
    CHECK(document.at("data_offset").to_number<std::uint64_t>() == file->header().data_offset());
    CHECK(document.at("diagnostics").as_array().empty());
    CHECK(document.at("file_bytes").to_number<std::uint64_t>() == std::filesystem::file_size(path));
    CHECK(document.at("parameters") == 429'056);
    CHECK(document.at("active_parameters").is_null());
    CHECK(document.at("bpw").as_double() == doctest::Approx(8.0 * 260'148 / 429'056));
    CHECK(document.at("file_type") == "Q4_K_M");

    const json::array& metadata = document.at("metadata").as_array();
    REQUIRE(metadata.size() == file->header().metadata().size());
    for (std::size_t i = 0; i < metadata.size(); ++i) {
        const KeyValue& entry = file->header().metadata()[i];
        std::set<std::string> keys{"key", "record", "type", "value"};
        if (const auto array = entry.value.as_array()) {
            keys.insert("element_type");
            CHECK(text_of(metadata[i].at("element_type")) == name(array->element_type()));
        }
        CHECK(keys_of(metadata[i]) == keys);
        CHECK(metadata[i].at("record").to_number<std::uint64_t>() == entry.offset);
        CHECK(text_of(metadata[i].at("key")) == file->header().metadata()[i].key);
    }
    const json::array& tensors = document.at("tensors").as_array();
    REQUIRE(tensors.size() == model.tensors.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        CHECK(keys_of(tensors[i]) ==
              std::set<std::string>{"name", "type", "shape", "record", "offset", "elements", "bytes"});
        const TensorInfo& info = file->header().tensors()[i];
        CHECK(tensors[i].at("record").to_number<std::uint64_t>() == info.info_offset);
        CHECK(tensors[i].at("elements").to_number<std::uint64_t>() == *info.elements());
        CHECK(text_of(tensors[i].at("name")) == model.tensors[i].name);
        CHECK(text_of(tensors[i].at("type")) == format_of(model.tensors[i].type).name);
        CHECK(json::value_to<std::vector<std::uint64_t>>(tensors[i].at("shape")) == model.tensors[i].ne);
        CHECK(tensors[i].at("offset").to_number<std::uint64_t>() == file->header().tensors()[i].offset);
        CHECK(tensors[i].at("bytes").to_number<std::uint64_t>() == model.tensors[i].bytes.size());
    }
}

TEST_CASE("values of every type come through exactly") {
    using Number = std::numeric_limits<double>;
    const TemporaryFolder folder;
    SmallModel model;
    model.set("u8", Value::of_unsigned(ValueType::uint8, 255)).set("i8", Value::of_signed(ValueType::int8, -128));
    model.set("u16", Value::of_unsigned(ValueType::uint16, 65535))
        .set("i16", Value::of_signed(ValueType::int16, -32768));
    model.set("u32", Value::of_unsigned(ValueType::uint32, 4294967295))
        .set("i32", Value::of_signed(ValueType::int32, -2147483648));
    model.set("u64", Value::of_unsigned(ValueType::uint64, ~std::uint64_t{0}));
    model.set("i64", Value::of_signed(ValueType::int64, std::numeric_limits<std::int64_t>::min()));
    model.set("f32", Value::of_float32(0.1f))
        .set("f64", Value::of_float64(0.1))
        .set("whole", Value::of_float32(10000.f));
    model.set("least", Value::of_float64(Number::denorm_min())).set("minus zero", Value::of_float32(-0.f));
    model.set("nan", Value::of_float32(std::numeric_limits<float>::quiet_NaN()));
    model.set("inf", Value::of_float64(Number::infinity())).set("-inf", Value::of_float64(-Number::infinity()));
    model.set("yes", Value::of_bool(true)).set("no", Value::of_bool(false));
    model.set("str", "quote \" backslash \\ newline \n escape \x1b del \x7f csi \u009b ü € 𝄞").set("empty", "");
    model.set("not utf-8", Value::of_string("a\xff\x80z"));
    model.set("strings", Value::of_strings(std::vector<std::string>{"a", "\xc3\x28", ""}));
    const Value inner[] = {Value::of_unsigned(ValueType::uint8, 1), Value::of_unsigned(ValueType::uint8, 2)};
    const Value outer[] = {*Value::of_array(ValueType::uint8, inner), *Value::of_array(ValueType::string, {})};
    model.set("nested", *Value::of_array(ValueType::array, outer));
    model.save(folder / "m.gguf");

    const CommandResult result = run_tool("gguf-info", {folder / "m.gguf", "--json"});
    const json::object document = json_of(result);
    const auto number = [&](std::string_view key) { return value_of(document, key); };
    for (const auto* type : {"u8", "i8", "u16", "i16", "u32", "i32", "u64", "i64", "f32", "f64", "str"}) {
        CHECK(entry_of(document, "metadata", "key", type).at("type") == type);
    }
    CHECK(entry_of(document, "metadata", "key", "yes").at("type") == "bool");
    CHECK(entry_of(document, "metadata", "key", "nested").at("type") == "arr");
    CHECK(number("u8") == 255);
    CHECK(number("i8") == -128);
    CHECK(number("u16") == 65535);
    CHECK(number("i16") == -32768);
    CHECK(number("u32").to_number<std::uint64_t>() == 4294967295);
    CHECK(number("i32") == -2147483648);
    CHECK(number("u64").as_uint64() == ~std::uint64_t{0});
    CHECK(number("i64").as_int64() == std::numeric_limits<std::int64_t>::min());
    CHECK(static_cast<float>(number("f32").as_double()) == 0.1f);
    CHECK(number("f64").as_double() == 0.1);
    CHECK(number("whole").as_double() == 10000);
    CHECK(number("least").as_double() == Number::denorm_min());
    CHECK(std::signbit(number("minus zero").as_double()));
    CHECK(number("nan") == "NaN");
    CHECK(number("inf") == "Infinity");
    CHECK(number("-inf") == "-Infinity");
    CHECK(number("yes").as_bool());
    CHECK_FALSE(number("no").as_bool());
    CHECK(number("str") == "quote \" backslash \\ newline \n escape \x1b del \x7f csi \u009b ü € 𝄞");
    CHECK(number("empty") == "");
    CHECK(json::serialize(number("not utf-8")) == R"({"hex":"61ff807a"})");
    CHECK(json::serialize(number("strings")) == R"(["a",{"hex":"c328"},""])");
    CHECK(json::serialize(number("nested")) == "[[1,2],[]]");
    CHECK(result.text().find("\"f32\",\"value\":0.1}") != std::string::npos);     // the shortest digits
    CHECK(result.text().find("del \\u007f csi \\u009b ü") != std::string::npos);  // for terminals
}

TEST_CASE("arrays are whole, however long") {
    const TemporaryFolder folder;
    std::vector<std::string> tokens;
    for (int i = 0; i < 100'000; ++i) tokens.push_back("token " + std::to_string(i));
    SmallModel model;
    model.set("tokenizer.ggml.tokens", Value::of_strings(tokens)).save(folder / "m.gguf");
    const json::object document = json_of(run_tool("gguf-info", {folder / "m.gguf", "--json"}));
    CHECK(json::value_to<std::vector<std::string>>(value_of(document, "tokenizer.ggml.tokens")) == tokens);
}

TEST_CASE("a broken file gives the same document, with diagnostics") {
    const TemporaryFolder folder;
    Bytes file(little_v3, 2, 1);
    file.entry("general.alignment", std::uint32_t{4});
    file.tensor({.name = "a", .ne = {32}, .type = static_cast<TensorType>(77)});
    const TensorPlace b = file.tensor({.name = "b\x1b[2J", .ne = {8}, .offset = 1});
    write_file(folder / "broken.gguf", file.pad().fill(64));

    const std::string path = folder / "broken.gguf";
    CHECK(run_tool("gguf-info", {path, "--json"}).exit_code == 0);
    const CommandResult result = run_tool("gguf-info", {path, "--json", "--check"});
    CHECK(result.exit_code == 1);
    const json::object document = json_of(result);
    CHECK(entry_of(document, "tensors", "name", "a").at("type") == "unknown(77)");
    CHECK(entry_of(document, "tensors", "name", "a").at("bytes").is_null());
    const json::object& alignment = entry_of(document, "diagnostics", "code", "BAD_ALIGN");
    CHECK(keys_of(alignment) == std::set<std::string>{"severity", "rule", "code", "offset", "subject", "detail"});
    CHECK(alignment.at("severity") == "warning");
    CHECK(alignment.at("rule") == "GGUF-R022");
    CHECK(alignment.at("subject") == "key 'general.alignment'");
    const json::object& misaligned = entry_of(document, "diagnostics", "code", "MISALIGNED");
    CHECK(misaligned.at("offset").to_number<std::uint64_t>() == b.record);
    CHECK(misaligned.at("subject") == "tensor 'b\\x1b[2J'");
}

TEST_CASE("a file that cannot be read gives the same document, empty") {
    const TemporaryFolder folder;
    write_file(folder / "cut.gguf", Bytes(little_v3).raw("GGUF"));
    for (const std::string name : {"cut.gguf", "missing.gguf"}) {
        for (const bool check : {false, true}) {
            std::vector<std::string> arguments{folder / name, "--json"};
            if (check) arguments.emplace_back("--check");
            const CommandResult result = run_tool("gguf-info", arguments);
            CHECK(result.exit_code == 1);
            const json::object document = json_of(result);
            for (const auto* key : {"version", "byte_order", "alignment", "data_offset", "file_bytes", "parameters",
                                    "active_parameters", "bpw", "file_type"})
                CHECK(document.at(key).is_null());
            CHECK(document.at("metadata").as_array().empty());
            CHECK(document.at("tensors").as_array().empty());
            REQUIRE(document.at("diagnostics").as_array().size() == 1);
            const json::object& found = document.at("diagnostics").at(0).as_object();
            CHECK(found.at("severity") == "error");
            CHECK(found.at("code") == (name == "cut.gguf" ? "TRUNCATED" : "IO_OPEN"));
        }
    }
}

TEST_CASE("a split model names its shards") {
    const TemporaryFolder folder;
    const SmallModel model = small_llama();
    model.save_split(folder / "m", 3);
    const json::object document = json_of(run_tool("gguf-info", {folder / "m-00002-of-00003.gguf", "--json"}));
    const json::array& shards = document.at("shards").as_array();
    REQUIRE(shards.size() == 3);
    std::uint64_t tensors = 0;
    for (std::size_t i = 0; i < shards.size(); ++i) {
        CHECK(keys_of(shards[i]) == std::set<std::string>{"number", "path", "version", "byte_order", "alignment",
                                                          "data_offset", "announced_keys", "announced_tensors",
                                                          "tensors"});
        CHECK(text_of(shards[i].at("path")) == folder / ("m-0000" + std::to_string(i + 1) + "-of-00003.gguf"));
        tensors += shards[i].at("tensors").to_number<std::uint64_t>();
    }
    CHECK(tensors == model.tensors.size());
    CHECK(document.at("tensors").as_array().size() == model.tensors.size());
    CHECK(document.at("diagnostics").as_array().empty());
}

TEST_CASE("whatever a file holds, every view is text that a terminal can take, and --json is JSON") {
    const TemporaryFolder folder;
    for (const Seed& seed : seeds()) {
        const std::string path = folder / "seed.gguf";
        write_file(path, seed.bytes);
        for (const char* view : {"--color=never", "--metadata", "--tensors", "--check", "--json"}) {
            std::vector<std::string> arguments{path, view};
            const bool judges = view != std::string_view("--metadata") && view != std::string_view("--tensors");
            if (judges) arguments.insert(arguments.end(), {"--profile=llama", "--strict"});
            const CommandResult result = run_tool("gguf-info", arguments);
            CAPTURE(seed.name);
            CAPTURE(view);
            CHECK((result.exit_code == 0 || result.exit_code == 1));
            for (const std::string& text : {result.text(), result.err}) {
                CHECK(is_calm(text));
            }
            if (result.exit_code == 0 || std::string_view(view) == "--json") CHECK(result.text() != "");
            if (std::string_view(view) == "--json") {
                boost::system::error_code error;
                json::parse(result.text(), error);
                CHECK_FALSE(error);
            }
        }
    }
}

TEST_CASE("no tool lets a hostile file speak to the terminal, in messages either") {
    const TemporaryFolder folder;
    const std::string path = folder / "seed.gguf";
    for (const Seed& seed : seeds()) {
        CAPTURE(seed.name);
        write_file(path, seed.bytes);
        const CommandResult results[] = {run_tool("gguf-requant", {path, folder / "out.gguf", "Q8_0", "--dry-run"}),
                                         run_tool("gguf-diff", {path, path})};
        CHECK((results[0].exit_code == 0 || results[0].exit_code == 1));
        CHECK((results[1].exit_code == 0 || results[1].exit_code == 2));
        for (const CommandResult& result : results) {
            CHECK((result.exit_code == 0 || !result.err.empty()));
            CHECK((result.exit_code != 0 || result.err.empty() || result.err.starts_with("gguf-requant: note: ")));
            for (const std::string& text : {result.text(), result.err}) CHECK(is_calm(text));
        }
    }
    CHECK_FALSE(std::filesystem::exists(folder / "out.gguf"));
}
