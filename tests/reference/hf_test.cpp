// A reader that shares no code with us or with llama.cpp must see in our output what gguf-info prints of it.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstdlib>
#include <filesystem>
#include <ggufkit/format.hpp>
#include <ggufkit/value.hpp>
#include <map>

#include "reference/oracle.hpp"
#include "support/files.hpp"
#include "support/seeds.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

// hf_dump.mjs prints 64-bit integers as text, and floats of 32 bits as doubles where we print their shortest form.
bool same_value(const json::value& ours, const json::value& theirs) {
    if (ours.is_array() && theirs.is_array()) {
        const auto &a = ours.get_array(), &b = theirs.get_array();
        if (a.size() != b.size()) return false;
        for (std::size_t i = 0; i < a.size(); i++)
            if (!same_value(a[i], b[i])) return false;
        return true;
    }
    if (theirs.is_string() && !ours.is_string()) return json::serialize(ours) == theirs.get_string();
    if (ours.is_number() && theirs.is_number()) {
        const double a = ours.to_number<double>(), b = theirs.to_number<double>();
        return a == b || static_cast<float>(a) == static_cast<float>(b);
    }
    if (ours.is_string() && theirs.is_string() && ours != theirs) {
        // It drops a byte order mark in front: the token U+FEFF of Llama's vocabulary is empty there.
        constexpr std::string_view mark = "\xef\xbb\xbf";
        const std::string_view text = ours.get_string();
        return text.starts_with(mark) && text.substr(mark.size()) == std::string_view(theirs.get_string());
    }
    return ours == theirs;
}

// The number of a metadata type, by the name that --json gives it.
std::uint32_t type_id(const json::value& type) {
    for (std::uint32_t id = 0; id <= 12; ++id) {
        if (name(static_cast<ValueType>(id)) == std::string_view(type.as_string())) return id;
    }
    return ~0u;
}

void compare_metadata(const json::value& ours, const json::value& theirs) {
    // It adds the header's own numbers as keys "version", "tensor_count" and "kv_count" in front.
    std::map<std::string, const json::array*> their_metadata;
    for (const auto& row : theirs.at("metadata").as_array()) {
        their_metadata[row.at(0).as_string().c_str()] = &row.as_array();
    }
    for (const auto& entry : ours.at("metadata").as_array()) {
        const std::string key = entry.at("key").as_string().c_str();
        CAPTURE(key);
        REQUIRE(their_metadata.contains(key));
        const json::array& their = *their_metadata[key];
        CHECK(type_id(entry.at("type")) == their.at(1).to_number<std::uint32_t>());
        const auto* const element = entry.as_object().if_contains("element_type");
        CHECK((element == nullptr) == their.at(2).is_null());
        if (element != nullptr) CHECK(type_id(*element) == their.at(2).to_number<std::uint32_t>());
        CHECK(same_value(entry.at("value"), their.at(3)));
        their_metadata.erase(key);
    }
    CHECK(same_value(ours.at("version"), their_metadata["version"]->at(3)));
    CHECK(same_value(ours.at("tensors").as_array().size(), their_metadata["tensor_count"]->at(3)));
    CHECK(same_value(ours.at("metadata").as_array().size(), their_metadata["kv_count"]->at(3)));
    for (const auto* added : {"version", "tensor_count", "kv_count"}) their_metadata.erase(added);
    CHECK(their_metadata.empty());
}

// All that it reads of `file` is what gguf-info --json prints.
void compare_with_hf(const std::string& file) {
    CAPTURE(file);
    const auto printed = run_command({GGUFKIT_BIN_DIR "/gguf-info", file, "--json"});
    REQUIRE_MESSAGE(printed.exit_code == 0, printed.err);
    const auto read = node_script("hf_dump.mjs", {file});
    REQUIRE_MESSAGE(read.exit_code == 0, read.err);
    const auto ours = json::parse(printed.text()), theirs = json::parse(read.text());
    compare_metadata(ours, theirs);
    CHECK(same_value(ours.at("data_offset"), theirs.at("data_offset")));
    CHECK((ours.at("byte_order") == "little") == theirs.at("little_endian").as_bool());
    CHECK(same_value(ours.at("parameters"), theirs.at("parameters")));

    const auto &a = ours.at("tensors").as_array(), &b = theirs.at("tensors").as_array();
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); i++) {
        CHECK(a[i].at("name") == b[i].at(0));
        CHECK(find_format(std::string_view(a[i].at("type").as_string()))->id == b[i].at(1).to_number<std::uint32_t>());
        CHECK(same_value(a[i].at("shape"), b[i].at(2)));
        CHECK(same_value(a[i].at("offset"), b[i].at(3)));
    }
}

}  // namespace

TEST_CASE("@huggingface/gguf reads from our output what gguf-info prints") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    const auto output = folder / "tiny-llama-Q4_K_M.gguf";
    const auto made =
        run_command({GGUFKIT_BIN_DIR "/gguf-requant", GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf", output, "Q4_K_M"});
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    compare_with_hf(output);
}

// More of them, the vocabularies that llama.cpp publishes for example, where GGUFKIT_VOCABULARIES names a folder.
TEST_CASE("gguf-info --json has all that @huggingface/gguf reads in real files") {
    REQUIRE_REFERENCE();
    std::vector<std::string> folders{GGUFKIT_TEST_DATA};
    if (const char* const more = std::getenv("GGUFKIT_VOCABULARIES")) folders.emplace_back(more);
    std::size_t files = 0;
    for (const std::string& folder : folders) {
        for (const auto& entry : std::filesystem::directory_iterator(folder)) {
            if (entry.path().extension() != ".gguf") continue;
            compare_with_hf(entry.path().string());
            ++files;
        }
    }
    CHECK(files >= 4);
}

TEST_CASE("gguf-info --json has all that @huggingface/gguf reads: every type of value, either byte order") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    for (const Encoding encoding : {little_v3, big_v3}) {
        write_file(folder / "rich.gguf", rich_file(encoding));
        compare_with_hf(folder / "rich.gguf");
    }
}
