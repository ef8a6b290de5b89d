// gguf-diff --html: its data, what it refuses, and that it draws itself.
#include <doctest/doctest.h>

#include <algorithm>

#include <boost/json.hpp>

#include "support/browser.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

const std::string f16 = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string q8_0 = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";
const std::string matrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

json::value data_of(const std::string& page) {
    const std::string_view begin = "id=\"data\">";
    const std::size_t at = page.find(begin) + begin.size();
    return json::parse(page.substr(at, page.find("</script>", at) - at));
}

}  // namespace

TEST_CASE("gguf-diff --html is one file with the differences in it, that loads nothing, whatever names hold") {
    const TemporaryFolder folder;
    const std::string evil = "</script><script>alert(1)</script>";
    SmallModel a, b;
    a.set("note", evil).tensor("blk.0." + evil, TensorType::F16, {64, 3});
    b.set("note", evil + "2").tensor("blk.0." + evil, TensorType::F16, {64, 3}, 1);
    const std::string path_a = a.save(folder / "a.gguf"), path_b = b.save(folder / ("<b>.gguf"));
    const std::string page = folder / "d.html";
    CHECK(run_tool("gguf-diff", {path_a, path_b, "--html", page}).exit_code == 1);
    const std::string text = read_text(page);
    json::object document = json_of(run_tool("gguf-diff", {path_a, path_b, "--json"}));
    CHECK(data_of(text).at("metadata") == document.at("metadata"));
    CHECK(data_of(text).at("total") == document.at("total"));
    CHECK(text.find(evil) == text.npos);
    CHECK(text.find("<title>a.gguf → &lt;b>.gguf</title>") != text.npos);
    for (const char* loading : {"http:", "https:", " src=", "@import", "url("}) CHECK(text.find(loading) == text.npos);

    // There already, a model, a folder that is not there.
    CHECK(run_tool("gguf-diff", {path_a, path_b, "--html", page}).exit_code == 2);
    CHECK(run_tool("gguf-diff", {path_a, path_b, "--html", page, "--force"}).exit_code == 1);
    CHECK(run_tool("gguf-diff", {path_a, path_b, "--html", path_b, "--force"}).exit_code == 2);
    CHECK(run_tool("gguf-diff", {path_a, path_b, "--html", folder / "no/d.html"}).exit_code == 2);
    const CommandResult is_folder = run_tool("gguf-diff", {path_a, path_b, "--html", folder.path().string()});
    CHECK(is_folder.exit_code == 2);
    CHECK(is_folder.err.ends_with(": is a folder; only a regular file can be replaced\n"));  // --force would not help
    CHECK(run_tool("gguf-diff", {path_a, path_b}).exit_code == 1);
}

TEST_CASE("gguf-diff BASE A B --html has what --json says") {
    const TemporaryFolder folder;
    SmallModel base = small_llama(), a = small_llama(), b = small_llama();
    a.at("blk.0.attn_v.weight").bytes[7] ^= std::byte{1};
    b.at("blk.1.attn_v.weight").bytes[7] ^= std::byte{1};
    const std::string path = base.save(folder / "base.gguf"), path_a = a.save(folder / "a.gguf"),
                      path_b = b.save(folder / "<b>.gguf"), page = folder / "d.html";
    CHECK(run_tool("gguf-diff", {path, path_a, path_b, "--html", page}).exit_code == 1);
    const json::object document = json_of(run_tool("gguf-diff", {path, path_a, path_b, "--json"}));
    const std::string text = read_text(page);
    CHECK(data_of(text) == json::value(document));
    CHECK(text.find("<title>a.gguf or &lt;b>.gguf: which is nearer to base.gguf</title>") != text.npos);
    for (const char* loading : {"http:", "https:", " src=", "@import", "url("}) CHECK(text.find(loading) == text.npos);
    CHECK(run_tool("gguf-diff", {path, path_a, path_b, "--html", page}).exit_code == 2);
    for (const std::string& model : {path, path_a, path_b}) {
        CHECK(run_tool("gguf-diff", {path, path_a, path_b, "--html", model, "--force"}).exit_code == 2);
    }
    CHECK(run_tool("gguf-diff", {path, path_a, path_b, "--brief"}).exit_code == 1);  // all are there still
}

TEST_CASE("gguf-diff --html draws itself in a browser without a word on the console") {
    REQUIRE_BROWSER();
    const TemporaryFolder folder;
    const auto load = [&](std::vector<std::string> arguments, int exit_code = 1) {
        arguments.insert(arguments.end(), {"--html", folder / "d.html", "--force"});
        REQUIRE(run_tool("gguf-diff", arguments).exit_code == exit_code);
        return load_page(folder / "d.html");
    };
    const auto drawn = [](const LoadedPage& page) {
        CHECK(page.console == "");
        return page.dom.find("<html lang=\"en\" data-done=\"yes\">") != page.dom.npos;
    };
    const LoadedPage page = load({f16, q8_0, "--imatrix", matrix});
    CHECK(drawn(page));
    for (const char* part :
         {"Where they are apart", "weighted error", "The tensors furthest apart", "blk.5.ffn_up.weight",
          "aria-label=\"blk.2.attn_v.weight: ", "general.file_type", "1 (F16)", "7 (Q8_0)"}) {
        CAPTURE(part);
        CHECK(page.dom.find(part) != page.dom.npos);
    }
    CHECK(drawn(load({f16, q8_0, "--sample", "4"})));
    CHECK(drawn(load({f16, f16}, 0)));
    SmallModel a = small_llama(), b = small_llama();
    a.set("note", "\xff not utf-8").remove("token_embd.weight");
    b.tensor("blk.0.<img onerror=alert(1)>", TensorType::F16, {64, 3}).set("list", Value::of_strings({}));
    b.at("blk.1.attn_v.weight").name = "renamed";
    CHECK(drawn(load({a.save(folder / "a \xff.gguf").string(), b.save(folder / "b.gguf").string()})));
    CHECK(drawn(load({SmallModel().save(folder / "e.gguf").string(), b.save(folder / "b.gguf").string()})));
}

TEST_CASE("gguf-diff BASE A B --html draws itself in a browser without a word on the console") {
    REQUIRE_BROWSER();
    const TemporaryFolder folder;
    const auto load = [&](std::vector<std::string> arguments, int exit_code = 1) {
        arguments.insert(arguments.end(), {"--html", folder / "d.html", "--force"});
        REQUIRE(run_tool("gguf-diff", arguments).exit_code == exit_code);
        LoadedPage page = load_page(folder / "d.html");
        CHECK(page.console == "");
        CHECK(page.dom.find("<html lang=\"en\" data-done=\"yes\">") != page.dom.npos);
        return page;
    };
    const LoadedPage page = load({f16, q8_0, f16, "--imatrix", matrix});
    for (const char* part :
         {"B is nearer", "Layer by layer", "Part by part", "Tensor by tensor", "The tensors that matter",
          "aria-label=\"blk.2.attn_v.weight: B by 100 %\"", "Every tensor", "weighted error"}) {
        CAPTURE(part);
        CHECK(page.dom.find(part) != page.dom.npos);
    }
    // Names that are hostile, weights that are no numbers, tensors that are not in all.
    SmallModel base = small_llama(), a = small_llama(), b = small_llama();
    for (SmallModel* model : {&base, &a, &b}) model->tensor("blk.0.\u202e<img onerror=alert(1)>", TensorType::F32, {8});
    std::ranges::fill(a.tensors.back().bytes, std::byte{0xff});
    b.remove("token_embd.weight");
    b.tensor("more", TensorType::F32, {3});
    const LoadedPage odd = load({base.save(folder / "base.gguf").string(), a.save(folder / "a \xff.gguf").string(),
                                 b.save(folder / "b.gguf").string()});
    for (const char* part : {"not in the base", "missing in A or B", "\\u202e&lt;img", "infinite or no number"}) {
        CAPTURE(part);
        CHECK(odd.dom.find(part) != odd.dom.npos);
    }
    load({f16, f16, f16}, 0);
}
