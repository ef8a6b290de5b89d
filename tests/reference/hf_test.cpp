// A reader that shares no code with us or with llama.cpp must see in our output what gguf-info prints of it.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <ggufkit/format.hpp>
#include <map>

#include "support/oracle.hpp"
#include "support/temporary.hpp"

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
    return ours == theirs;
}

}  // namespace

TEST_CASE("@huggingface/gguf reads from our output what gguf-info prints") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    const auto output = folder / "tiny-llama-Q4_K_M.gguf";
    const auto made =
        run_command({GGUFKIT_BIN_DIR "/gguf-requant", GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf", output, "Q4_K_M"});
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
    const auto printed = run_command({GGUFKIT_BIN_DIR "/gguf-info", output, "--json"});
    REQUIRE_MESSAGE(printed.exit_code == 0, printed.err);
    const auto read = node_script("hf_dump.mjs", {output});
    REQUIRE_MESSAGE(read.exit_code == 0, read.err);
    const auto ours = json::parse(printed.text()), theirs = json::parse(read.text());

    // It adds the header's own numbers as keys "version", "tensor_count" and "kv_count" in front.
    std::map<std::string, const json::value*> their_metadata;
    for (const auto& row : theirs.at("metadata").as_array()) their_metadata[row.at(0).as_string().c_str()] = &row.at(2);
    for (const auto& entry : ours.at("metadata").as_array()) {
        const std::string key = entry.at("key").as_string().c_str();
        CAPTURE(key);
        REQUIRE(their_metadata.contains(key));
        CHECK(same_value(entry.at("value"), *their_metadata[key]));
        their_metadata.erase(key);
    }
    for (const auto* added : {"version", "tensor_count", "kv_count"}) their_metadata.erase(added);
    CHECK(their_metadata.empty());

    const auto &a = ours.at("tensors").as_array(), &b = theirs.at("tensors").as_array();
    REQUIRE(a.size() == b.size());
    for (std::size_t i = 0; i < a.size(); i++) {
        CHECK(a[i].at("name") == b[i].at(0));
        CHECK(find_format(std::string_view(a[i].at("type").as_string()))->id == b[i].at(1).to_number<std::uint32_t>());
        CHECK(same_value(a[i].at("shape"), b[i].at(2)));
        CHECK(same_value(a[i].at("offset"), b[i].at(3)));
    }
}
