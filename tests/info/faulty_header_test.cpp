// A fault in the header does not hide what was read before it: every view of gguf-info shows that, then the error, and
// ends with 1.
#include <doctest/doctest.h>

#include <fmt/format.h>

#include <boost/json.hpp>
#include <ggufkit/validate.hpp>

#include "info/screens.hpp"
#include "support/bytes.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

bool has(const std::string& text, std::string_view part) { return text.find(part) != text.npos; }

// What gguf-info prints, which ends with 1, on standard output and after it on standard error.
struct Said {
    std::string out, err;
};
Said said(const std::string& file, std::vector<std::string> flags) {
    flags.insert(flags.begin(), file);
    const CommandResult result = run_tool("gguf-info", flags, 0);
    CHECK(result.exit_code == 1);
    CHECK(is_calm(result.text()));
    return {result.text(), result.err};
}

// A view with an error in it, or on standard error.
void check_shown(const std::string& file, std::vector<std::string> flags, std::vector<std::string_view> parts,
                 std::string_view fault) {
    CAPTURE(flags);
    const Said view = said(file, flags);
    CAPTURE(view.out);
    CAPTURE(view.err);
    for (const std::string_view part : parts) CHECK(has(view.out, part));
    CHECK(has(view.err, fault));
    CHECK(view.err.starts_with("gguf-info: " + file + ": "));
}

std::string five_dims(const TemporaryFolder& folder) {
    Bytes file(little_v3, 2, 1);
    file.entry("general.name", "Five");
    file.tensor({.name = "patch", .ne = {2, 2, 1, 4, 64}});
    file.tensor({.name = "flat", .ne = {8}, .offset = 4096});
    write_file(folder / "five.gguf", file.pad().fill(4128));
    return folder / "five.gguf";
}

std::string cut_after_keys(const TemporaryFolder& folder) {
    Bytes file(little_v3, 12, 3);
    file.entry("general.name", "Cut");
    file.key("tokenizer.ggml.tokens", ValueType::array);
    file.array(ValueType::string, 1);
    file.string("the");
    file.entry("llama.block_count", std::uint32_t{7});
    write_file(folder / "cut.gguf", file);
    return folder / "cut.gguf";
}

std::string deep(const TemporaryFolder& folder) {
    Bytes file(little_v3, 0, 2);
    file.entry("general.name", "Deep");
    file.key("x.deep", ValueType::array);
    for (int i = 0; i < 1000; ++i) file.array(ValueType::array, 1);
    file.array(ValueType::uint8, 0);
    write_file(folder / "deep.gguf", file);
    return folder / "deep.gguf";
}

}  // namespace

TEST_CASE("tensors of five dimensions: all views show keys, tensors and shapes, then the error") {
    const TemporaryFolder folder;
    const std::string file = five_dims(folder);
    constexpr std::string_view fault =
        "tensor 'patch' @0x49: BAD_NDIMS GGUF-R023 has 5 dimensions; GGUF allows at most 4";
    check_shown(file, {"--metadata"}, {"general.name", "Five"}, fault);
    check_shown(file, {"--tensors"}, {"2x2x1x4x64", "4096", "flat"}, fault);
    check_shown(file, {"--tensors", "--long"}, {"2x2x1x4x64"}, fault);
    check_shown(file, {"--get", "general.name"}, {"Five\n"}, fault);
    check_shown(file, {"--header-hex"}, {"number of dimensions: 5", "ne[4] = 64", "the tensors' data begins"}, fault);
    check_shown(file, {"--layers"}, {"patch", "1,032"}, fault);
    check_shown(file, {"--fit", "1GiB"}, {}, fault);
    for (const Said& view : {said(file, {}), said(file, {"--check"})}) {
        CHECK(view.err == "");
        CHECK(has(view.out, "tensor 'patch': has 5 dimensions; GGUF allows at most 4"));
    }
    const Said json = said(file, {"--json"});
    CHECK(has(json.out, R"("shape":[2,2,1,4,64])"));
    CHECK(has(json.out, R"("complete":true)"));
    CHECK(has(json.out, "GGUF-R023"));
    // What works with the tensors' data refuses the file.
    for (const char* flag : {"--stats", "--hash"}) CHECK(has(said(file, {flag}).err, "has 5 dimensions"));
    for (const auto& command :
         {std::vector<std::string>{"gguf-requant", file, folder / "out.gguf", "COPY"}, {"gguf-diff", file, file}}) {
        const CommandResult refused = run_tool(command[0], {command.begin() + 1, command.end()}, 0);
        CHECK(refused.exit_code != 0);
        CHECK(has(refused.err, "has 5 dimensions"));
    }
}

TEST_CASE("a header that ends after its keys: the keys, how many tensors are announced, then the error") {
    const TemporaryFolder folder;
    const std::string file = cut_after_keys(folder);
    constexpr std::string_view fault = "GGUF-R005 is 12, where ";
    check_shown(file, {"--metadata"}, {"general.name", "Cut", "llama.block_count"}, fault);
    check_shown(file, {"--get", "llama.block_count"}, {"7\n"}, fault);
    check_shown(file, {"--get", "llama.later"}, {}, fault);
    check_shown(file, {"--header-hex"}, {"number of tensors: 12", "number of keys: 3", "Cut"}, fault);
    const Said summary = said(file, {});
    CHECK(has(summary.out, "GGUF v3, little-endian"));
    CHECK(has(summary.out, "only 3 of 3 keys, 0 of 12 tensors can be read"));
    CHECK_FALSE(has(summary.out, "a vocabulary without weights"));
    CHECK(has(said(file, {"--tokenizer"}).out, "not known"));
    const Said json = said(file, {"--json"});
    for (const char* field : {R"("version":3)", R"("data_offset":null)", R"("announced_keys":3)",
                              R"("announced_tensors":12)", R"("complete":false)", R"("key":"llama.block_count")"}) {
        CHECK(has(json.out, field));
    }
}

TEST_CASE("an array that nests too deep: the keys before it, then the error") {
    const TemporaryFolder folder;
    const std::string file = deep(folder);
    constexpr std::string_view fault = "GGUF-R011 arrays nest more than 64 deep";
    check_shown(file, {"--metadata"}, {"general.name", "Deep"}, fault);
    check_shown(file, {"--get", "general.name"}, {"Deep\n"}, fault);
    check_shown(file, {"--header-hex"}, {"Deep", "from here on the header cannot be read", "more bytes"}, fault);
    CHECK(has(said(file, {}).out, "only 1 of 2 keys"));
    CHECK(has(said(file, {"--json"}).out, R"("value":"Deep")"));
    run_tool("gguf-info", {file, "--html", folder / "page.html"});
    CHECK(std::filesystem::exists(folder / "page.html"));
}

TEST_CASE("a file whose data is cut: how many bytes are there, and which tensors are whole, in one line") {
    const TemporaryFolder folder;
    const SmallModel model = small_llama();
    const auto whole = model.bytes();
    write_file(folder / "half.gguf", std::span(whole).first(whole.size() / 2));
    const auto view = parse(std::span(whole).first(whole.size() / 2));
    const auto cut = view ? cut_short(*view) : std::nullopt;
    REQUIRE(cut);
    const CommandResult summary = run_tool("gguf-info", {folder / "half.gguf"}, 0);
    CHECK(has(summary.text(), " bytes are there\n"));
    CHECK(has(summary.text(),
              fmt::format("{} of {}; the first that is not: {}", cut->whole, model.tensors.size(), cut->first->name)));
    const std::string check = said(folder / "half.gguf", {"--check"}).out;
    CHECK(has(check, fmt::format("tensor '{}': ", cut->first->name)));
    CHECK(has(check, fmt::format("bytes are there, {} of {} tensors are whole", cut->whole, model.tensors.size())));
    CHECK(check.find("R038") == check.rfind("R038"));
}

TEST_CASE("limits stand beside what breaks them, and a bad alignment is one error") {
    const TemporaryFolder folder;
    Bytes file(little_v3, 3, 1);
    file.entry("general.alignment", std::uint32_t{24});
    for (std::uint64_t i = 0; i < 2; ++i) file.tensor({.name = i == 0 ? "a" : "b", .ne = {8}, .offset = 48 * i});
    file.tensor({.name = std::string(74, 'n'), .ne = {8}, .offset = 96});
    write_file(folder / "m.gguf", file.pad(24).fill(144));
    const std::string check = said(folder / "m.gguf", {"--check"}).out;
    CHECK(has(check, "is 24; it must be a power of two, at most 1,073,741,824"));
    CHECK(has(check, "has a name of 74 bytes; GGUF allows at most 64 (llama.cpp 63)"));
    CHECK(has(check, "invalid, 2 errors, 1 warning"));  // no general.architecture
}

TEST_CASE("a missing shard: which one it is, and that the figures are of a part") {
    const TemporaryFolder folder;
    const std::string first = small_llama().save_split(folder / "m", 3);
    std::filesystem::remove(folder / "m-00003-of-00003.gguf");
    const Said summary = said(first, {});
    CHECK(has(summary.out, "only shards 1, 2 of 3: all figures are of this part"));
    CHECK(has(summary.out, "in shards 1, 2 of 3"));
    CHECK(has(summary.out, "m-00003-of-00003.gguf"));
    check_shown(first, {"--fit", "1GiB"}, {}, "");
    const Said tensors = said(first, {"--tensors"});
    CHECK(has(tensors.out, " 1:"));
    CHECK(has(tensors.err, "m-00003-of-00003.gguf: BAD_SPLIT GGUF-R043 shard 3 of 3: "));
    const boost::json::object json = boost::json::parse(said(first, {"--json"}).out).as_object();
    CHECK_FALSE(json.at("complete").as_bool());
    CHECK(json.at("split_count") == 3);
    CHECK(json.at("shards").as_array().size() == 2);
    CHECK(json.at("shards").at(1).at("number") == 2);

    // A shard that comes through a pipe has no siblings.
    const CommandResult alone = run_shell("\"$BIN/gguf-info\" - < '" + first + "'");
    CHECK(alone.exit_code == 0);
    CHECK(has(alone.text(), "only shard 1 of 3"));
}
