// gguf-info --json has every field that gguf-dump (of the Python package gguf) prints: each is looked up in the bytes of
// the file, without our parser.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <ggufkit/format.hpp>
#include <ggufkit/value.hpp>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

// Little-endian numbers of a file.
class Raw {
  public:
    explicit Raw(const std::filesystem::path& path) : bytes_(read_bytes(path)) {}

    template <class T>
    T at(std::uint64_t offset) const {
        T value;
        REQUIRE(offset + sizeof value <= bytes_.size());
        std::memcpy(&value, bytes_.data() + offset, sizeof value);
        return value;
    }
    std::string text(std::uint64_t offset) const {  // a length and so many bytes
        const auto length = at<std::uint64_t>(offset);
        REQUIRE(offset + 8 + length <= bytes_.size());
        return {reinterpret_cast<const char*>(bytes_.data()) + offset + 8, length};
    }
    std::uint64_t size() const { return bytes_.size(); }

  private:
    std::vector<std::byte> bytes_;
};

std::uint64_t number(const json::value& object, std::string_view field) {
    return object.at(field).to_number<std::uint64_t>();
}

std::uint32_t type_id(std::string_view wanted) {
    for (std::uint32_t id = 0; id <= 12; ++id)
        if (name(static_cast<ValueType>(id)) == wanted) return id;
    return ~0u;
}

// "index" (the place in the list), "offset" (record), "type", and of arrays "array_types" and how many there are.
void check_metadata(const json::object& document, const Raw& file) {
    const json::array& metadata = document.at("metadata").as_array();
    CHECK(metadata.size() == file.at<std::uint64_t>(16));  // GGUF.kv_count
    std::uint64_t end = 24;
    for (const json::value& entry : metadata) {
        const std::uint64_t record = number(entry, "record");
        CAPTURE(record);
        CHECK(record >= end);
        const std::string key = file.text(record);
        CHECK(key == text_of(entry.at("key")));
        const std::uint64_t type = record + 8 + key.size();
        CHECK(file.at<std::uint32_t>(type) == type_id(text_of(entry.at("type"))));
        end = type + 4;
        if (text_of(entry.at("type")) == "str") {
            if (entry.at("value").is_string()) CHECK(file.text(end) == text_of(entry.at("value")));
            end += 8 + file.at<std::uint64_t>(end);
        } else if (text_of(entry.at("type")) == "arr") {
            CHECK(file.at<std::uint32_t>(end) == type_id(text_of(entry.at("element_type"))));
            CHECK(file.at<std::uint64_t>(end + 4) == entry.at("value").as_array().size());
        }
    }
}

// "index", "offset" of the record, "shape", "type", elements, and where the data is.
void check_tensors(const json::object& document, const Raw& file) {
    const json::array& tensors = document.at("tensors").as_array();
    CHECK(tensors.size() == file.at<std::uint64_t>(8));  // GGUF.tensor_count
    for (const json::value& tensor : tensors) {
        std::uint64_t at = number(tensor, "record");
        CHECK(file.text(at) == text_of(tensor.at("name")));
        at += 8 + file.at<std::uint64_t>(at);
        const json::array& shape = tensor.at("shape").as_array();
        REQUIRE(file.at<std::uint32_t>(at) == shape.size());
        at += 4;
        std::uint64_t elements = 1;
        for (const json::value& extent : shape) {
            CHECK(file.at<std::uint64_t>(at) == extent.to_number<std::uint64_t>());
            elements *= file.at<std::uint64_t>(at);
            at += 8;
        }
        CHECK(number(tensor, "elements") == elements);
        const FormatInfo* format = find_format(file.at<std::uint32_t>(at));
        REQUIRE(format != nullptr);
        CHECK(text_of(tensor.at("type")) == format->name);
        CHECK(number(tensor, "offset") == file.at<std::uint64_t>(at + 4));
        CHECK(number(document, "data_offset") + number(tensor, "offset") + number(tensor, "bytes") <= file.size());
    }
}

}  // namespace

TEST_CASE("--json has all that gguf-dump prints, where the file has it") {
    std::vector<std::filesystem::path> folders{GGUFKIT_TEST_DATA};
    if (const char* const more = std::getenv("GGUFKIT_VOCABULARIES")) folders.emplace_back(more);
    std::size_t files = 0;
    for (const auto& folder : folders) {
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (entry.path().extension() != ".gguf") continue;
            CAPTURE(entry.path().string());
            const CommandResult result = run_tool("gguf-info", {entry.path(), "--json"});
            REQUIRE(result.exit_code == 0);
            const json::object document = json_of(result);
            const Raw file(entry.path());
            CHECK(document.at("byte_order") == "little");
            CHECK(number(document, "version") == file.at<std::uint32_t>(4));
            CHECK(number(document, "alignment") == 32);
            CHECK(number(document, "data_offset") % 32 == 0);
            check_metadata(document, file);
            check_tensors(document, file);
            ++files;
        }
    }
    CHECK(files >= 4);
}
