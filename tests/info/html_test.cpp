// gguf-info --html: one file that draws itself in a browser, with all that the sections show, whatever names hold.
#include <doctest/doctest.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>

#include "info/screens.hpp"
#include "support/browser.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/seeds.hpp"
#include "support/shapes.hpp"

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// The data that a page was given.
json::value data_of(const std::string& page) {
    const std::string_view open = R"(<script type="application/json" id="data">)";
    const std::size_t begin = page.find(open) + open.size();
    return json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

CommandResult make(const std::string& model, const std::string& page) {
    const CommandResult result = run_tool("gguf-info", {model, "--html", page, "--force"});
    CHECK(result.exit_code == 0);
    CHECK(result.err == "");
    CHECK(result.text() == "");
    return result;
}

// Names, values and a template that would be markup, script, or a place in the frame.
SmallModel hostile_model() {
    const std::string evil = "</script><script>alert(1)</script>";
    SmallModel model;
    model.set("general.architecture", "llama").set("general.name", Value::of_string(evil));
    model.set("<img src=x onerror=alert(1)>", Value::of_string(std::string("\xff\x00\x1b[2J", 6)));
    model.set("tokenizer.chat_template", Value::of_string("</pre>" + evil + "{{data}}<!--"));
    model.tensor("blk.0." + evil + ".weight", TensorType::F16, {64, 3});
    model.tensor("blk.1.{{data}}<!--.weight", TensorType::F16, {64, 3});
    return model;
}

}  // namespace

TEST_CASE("--html: the page has the facts, types, keys and tensors of the model") {
    const TemporaryFolder folder;
    const std::string path = small_mixture().save(folder / "m.gguf"), page = folder / "m.html";
    make(path, page);
    const json::value data = data_of(read_text(page));
    const json::object info = json_of(run_tool("gguf-info", {path, "--json"}));
    for (const char* same : {"file_bytes", "parameters", "active_parameters", "bpw"})
        CHECK(data.at(same) == info.at(same));
    CHECK(data.at("file") == "m.gguf");
    const json::array &tensors = data.at("tensors").as_array(), &listed = info.at("tensors").as_array();
    REQUIRE(tensors.size() == listed.size());
    for (std::size_t i = 0; i < tensors.size(); ++i) {
        for (const char* same : {"name", "type", "shape", "elements", "bytes", "offset"})
            CHECK(tensors[i].at(same) == listed[i].at(same));
    }
    CHECK(tensors[0].at("layer").is_null());
    CHECK(tensors[2].at("layer") == 0);
    CHECK(tensors[2].at("part") == "ffn_up_exps");
    CHECK(data.at("metadata").as_array().size() == info.at("metadata").as_array().size());
    CHECK(data.at("types").as_array().size() == 3);
    CHECK(data.at("problems").as_array().size() == info.at("diagnostics").as_array().size());
    CHECK(data.at("chat_template").is_null());
    CHECK(data.at("memory").is_object());
    make(GGUFKIT_TEST_DATA "/ggml-vocab-bert-bge.gguf", page);
    CHECK(data_of(read_text(page)).at("memory").is_null());  // nothing to run
}

TEST_CASE("--html: the memory by context is what --fit says of each, and so is what fits") {
    const TemporaryFolder folder;
    const std::string tiny = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf", page = folder / "m.html";
    const std::vector<std::string> flags{"--fit", "20MiB", "--ctx", "5000", "--margin", "0", "--kv-type", "q8_0"};
    std::vector<std::string> arguments{tiny, "--html", page};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const CommandResult result = run_tool("gguf-info", arguments);
    CHECK(result.exit_code == 0);
    CHECK(result.text().find("--ctx-size 5120") != std::string::npos);  // --fit is printed beside it
    const json::value memory = data_of(read_text(page)).at("memory");
    CHECK(memory.at("devices") == json::value{{20 << 20}});
    CHECK(memory.at("cache_type") == "Q8_0");
    std::vector<std::uint64_t> contexts;
    for (const json::value& point : memory.at("points").as_array()) {
        const auto context = point.at("context").to_number<std::uint64_t>();
        contexts.push_back(context);
        CHECK(point.at("asked").as_bool() == (context == 5120));  // rounded up
        std::vector<std::string> fit{tiny, "--json"};
        fit.insert(fit.end(), flags.begin(), flags.end());
        *std::ranges::find(fit, "5000") = std::to_string(context);
        const json::object told = json_of(run_tool("gguf-info", fit));
        for (const char* same : {"kv_cache", "recurrent", "compute", "gpu_layers"})
            CHECK(point.at(same) == told.at(same));
        CHECK(point.at("weights").to_number<std::uint64_t>() + memory.at("input_weights").to_number<std::uint64_t>() ==
              told.at("weights").to_number<std::uint64_t>() + told.at("output_copy").to_number<std::uint64_t>());
        const json::array &rows = memory.at("file_types").as_array(), &types = told.at("file_types").as_array();
        REQUIRE(rows.size() == types.size());
        for (std::size_t i = 0; i < rows.size(); ++i) {
            CAPTURE(rows[i]);
            for (const char* same : {"name", "bpw", "needs_imatrix"}) CHECK(rows[i].at(same) == types[i].at(same));
            const auto longest = rows[i].at("contexts").at(0).to_number<std::uint64_t>();
            CHECK((context <= longest) == types[i].at("fits").as_bool());
        }
    }
    CHECK(contexts == std::vector<std::uint64_t>{256, 2048, 4096, 5120});
}

TEST_CASE("--html: memory on usual cards, on several devices, and options that do not suit the model") {
    const TemporaryFolder folder;
    make_shape("llama-3-8b").set("context_length", 131072u).save(folder / "m.gguf");
    const auto memory = [&](std::vector<std::string> flags) {
        flags.insert(flags.begin(), {folder / "m.gguf", "--force", "--html", folder / "m.html"});
        REQUIRE(run_tool("gguf-info", flags).exit_code == 0);
        return data_of(read_text(folder / "m.html")).at("memory");
    };
    const json::value cards = memory({});
    CHECK(cards.at("devices").as_array().size() == 6);
    CHECK(cards.at("margin") == 1 << 30);
    CHECK_FALSE(cards.at("asked").as_bool());
    CHECK(cards.at("points").as_array().size() == 7);  // 2K to 128K
    CHECK(cards.at("points").at(6).at("context") == 131072);
    const json::value two = memory({"--gpu", "12GiB", "--gpu", "8GiB"});
    CHECK(two.at("devices") == json::value{{12ull << 30, 8ull << 30}});
    CHECK(memory({"--kv-type", "q8_0"}).at("points").at(0).at("kv_cache") != cards.at("points").at(0).at("kv_cache"));
    CHECK(memory({"--ctx", "3000"}).at("points").at(1).at("context") == 3072);
    fs::remove(folder / "m.html");
    const CommandResult bad =
        run_tool("gguf-info", {folder / "m.gguf", "--html", folder / "m.html", "--kv-type", "q8_0", "--no-flash-attn"});
    CHECK(bad.exit_code == 2);
    CHECK(bad.err.find("a Q8_0 cache of values needs flash attention") != std::string::npos);
    CHECK_FALSE(fs::exists(folder / "m.html"));
}

TEST_CASE("--html: one file that loads nothing, and nothing in a model breaks out of its place") {
    const TemporaryFolder folder;
    const std::string model = hostile_model().save(folder / "<b>&{{title}}.gguf");
    make(model, folder / "m.html");
    const std::string page = read_text(folder / "m.html");
    CHECK(page.find("<script>alert") == page.npos);
    CHECK(page.find("<img src=x") == page.npos);
    CHECK(page.find("<title>&lt;b>&amp;{{title}}.gguf</title>") != page.npos);
    CHECK(page.find("default-src 'none'") != page.npos);
    for (const char* loading : {"http:", "https:", "@import", "url("}) CHECK(page.find(loading) == page.npos);
    const json::value data = data_of(page);
    CHECK(data.at("metadata").at(2).at("value") == "\\xff\\x00\\x1b[2J");
    CHECK(data.at("chat_template") == "</pre></script><script>alert(1)</script>{{data}}<!--\n");
}

TEST_CASE("--html replaces a file with --force only, never the model, and what is asked for beside it is printed") {
    const TemporaryFolder folder;
    const std::string model = small_llama().save(folder / "m.gguf"), page = folder / "m.html";
    write_file(page, "mine");
    const CommandResult refused = run_tool("gguf-info", {model, "--html", page});
    CHECK(refused.exit_code == 1);
    CHECK(refused.err.find("; --force replaces it\n") != refused.err.npos);
    CHECK(read_text(page) == "mine");
    const auto bytes = read_text(model);
    CHECK(run_tool("gguf-info", {model, "--html", model, "--force"}).exit_code == 1);
    CHECK(read_text(model) == bytes);
    CHECK(run_tool("gguf-info", {model, "--html", folder / "no/m.html"}).exit_code == 1);
    CHECK(run_tool("gguf-info", {model, "--force"}).exit_code == 2);
    const CommandResult both = run_tool("gguf-info", {model, "--html", page, "--force", "--types"});
    CHECK(both.exit_code == 0);
    CHECK(both.text().starts_with("TYPE  "));
    CHECK(read_text(page).starts_with("<!doctype html>"));
    write_file(folder / "cut.gguf", "GGUF");
    CHECK(run_tool("gguf-info", {folder / "cut.gguf", "--html", folder / "cut.html"}).exit_code == 1);
    CHECK_FALSE(fs::exists(folder / "cut.html"));
}

TEST_CASE("--html draws itself in a browser without a word on the console") {
    REQUIRE_BROWSER();
    const TemporaryFolder folder;
    const std::string page = folder / "m.html";
    const auto dom_of = [&](const std::string& model, std::vector<std::string> flags = {}) {
        flags.insert(flags.begin(), {model, "--force", "--html", page});
        REQUIRE(run_tool("gguf-info", flags).exit_code == 0);
        const LoadedPage loaded = load_page(page);
        CHECK(loaded.console == "");
        CHECK(loaded.dom.find("<html lang=\"en\" data-done=\"yes\">") != loaded.dom.npos);
        return loaded.dom;
    };
    const std::string tiny = dom_of(GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf");
    for (const char* part : {"What it is", "Where the bytes are", "by role", "Tensor types", "Metadata", "Every tensor",
                             "aria-label=\"blk.5.ffn_up.weight: Q8_0, 256×768, 204.0 KiB\"", "Search keys and values",
                             ">layer 5</span>", "tokenizer.ggml.tokens", "Memory to run it", "KV cache: 768.0 KiB",
                             "All of these are far from filling 8 GiB", "In which file types it fits"}) {
        CAPTURE(part);
        CHECK(tiny.find(part) != tiny.npos);
    }
    const std::string narrow = dom_of(GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf",
                                      {"--gpu", "12MiB", "--gpu", "12MiB", "--margin", "0", "--ctx", "4096"});
    for (const char* part : {"12 MiB + 12 MiB, of which 24.0 MiB can be used", "title=\"4,096 tokens\"", " fits</span>",
                             " of 7 layers</span>", "as it is", "all devices up to one"}) {
        CAPTURE(part);
        CHECK(narrow.find(part) != narrow.npos);
    }
    make_shape("llama-3-8b").set("context_length", 131072u).save(folder / "large.gguf");
    const std::string large = dom_of(folder / "large.gguf");
    for (const char* part : {">8 GiB</b>", ">24 GiB</b>", ">128K</span>", "all that the model was trained for"}) {
        CAPTURE(part);
        CHECK(large.find(part) != large.npos);
    }
    const std::string nothing_left = dom_of(folder / "large.gguf", {"--fit", "1GiB"});
    CHECK(nothing_left.find("1 GiB, of which 0 B can be used") != std::string::npos);
    make_shape("mamba").save(folder / "mamba.gguf");
    CHECK(dom_of(folder / "mamba.gguf").find("state: ") != std::string::npos);
    const std::string hostile = dom_of(hostile_model().save(folder / "hostile.gguf"));
    CHECK(hostile.find("&lt;/script&gt;&lt;script&gt;alert(1)") != hostile.npos);
    CHECK(hostile.find("<img") == hostile.npos);
    dom_of(small_mixture().save(folder / "mixture.gguf"));
    dom_of(SmallModel().save(folder / "empty.gguf"));
    CHECK(dom_of(small_llama().save_split(folder / "s", 3)).find("in 3 shards") != std::string::npos);
}

TEST_CASE("--html of every file that can be read at all is a page with data that parses") {
    const TemporaryFolder folder;
    for (const Seed& seed : seeds()) {
        CAPTURE(seed.name);
        write_file(folder / "seed.gguf", seed.bytes);
        const CommandResult result =
            run_tool("gguf-info", {folder / "seed.gguf", "--html", folder / "seed.html", "--force"});
        CHECK((result.exit_code == 0) == result.err.empty());
        CHECK(is_calm(result.err));
        if (result.exit_code == 0) CHECK_NOTHROW(data_of(read_text(folder / "seed.html")));
    }
}
