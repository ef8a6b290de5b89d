// gguf-requant --report: its numbers, its page, and what it refuses.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cmath>
#include <filesystem>
#include <ggufkit/quant/imatrix.hpp>
#include <ggufkit/quant/quantize.hpp>
#include <map>
#include <set>

#include "support/browser.hpp"
#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

namespace fs = std::filesystem;
namespace json = boost::json;
using namespace ggufkit;
using namespace ggufkit::test;

namespace {

const std::string tiny = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string imatrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

CommandResult requant(std::vector<std::string> arguments) { return run_tool("gguf-requant", std::move(arguments)); }

json::object report_of(const std::string& path) { return json::parse(read_text(path)).as_object(); }

std::vector<float> decoded(const Model& model, const ModelTensor& tensor) {
    std::vector<float> values(*tensor.info->elements());
    REQUIRE(dequantize_rows(tensor.info->format->type(), *model.data(tensor), values));
    return values;
}

struct Sums {
    double w2 = 0, v2 = 0, wv = 0, e2 = 0, e = 0, iw2 = 0, ie2 = 0, max = 0;
    std::size_t max_at = 0, count = 0;
};

// Plainly, from the two files.
Sums compare(std::span<const float> w, std::span<const float> v, std::span<const float> importance) {
    Sums sums{.count = w.size()};
    for (std::size_t i = 0; i < w.size(); ++i) {
        const double a = w[i], b = v[i], e = b - a;
        sums.w2 += a * a, sums.v2 += b * b, sums.wv += a * b, sums.e2 += e * e, sums.e += e;
        if (!importance.empty()) {
            sums.iw2 += importance[i % importance.size()] * a * a;
            sums.ie2 += importance[i % importance.size()] * e * e;
        }
        if (std::abs(e) > sums.max) sums.max = std::abs(e), sums.max_at = i;
    }
    return sums;
}

// All the times in it made 0.
json::value without_times(json::value value) {
    if (value.is_object()) {
        for (auto& [key, content] : value.as_object()) {
            content = key == "seconds" ? json::value(0) : without_times(content);
        }
    } else if (value.is_array()) {
        for (json::value& element : value.as_array()) element = without_times(element);
    }
    return value;
}

// The data that a page was given.
json::value data_of(const std::string& page) {
    const std::string_view open = R"(<script type="application/json" id="data">)";
    const std::size_t begin = page.find(open) + open.size();
    return json::parse(page.substr(begin, page.find("</script>", begin) - begin));
}

}  // namespace

TEST_CASE("--report x.json: every number is that of a comparison of the two files") {
    const TemporaryFolder folder;
    const std::string out = folder / "m.gguf";
    const CommandResult result =
        requant({tiny, out, "Q4_K_M", "--imatrix", imatrix, "--report", folder / "r.json", "--json"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    const json::object report = report_of(folder / "r.json"), plan = json_of(result);
    for (const char* same : {"input", "output", "file_type", "effort", "bytes_in", "bytes_out", "bpw"}) {
        CHECK(report.at(same) == plan.at(same));
    }
    CHECK(text_of(report.at("imatrix")) == imatrix);
    CHECK(text_of(report.at("tool")).starts_with("gguf-requant "));
    CHECK(report.at("seconds").as_double() > 0);

    const auto before = Model::open(tiny), after = Model::open(out);
    const auto weights = Imatrix::open(imatrix);
    REQUIRE((before && after && weights));
    const json::array& tensors = report.at("tensors").as_array();
    REQUIRE(tensors.size() == after->tensors().size());
    Sums all;
    std::size_t measured = 0;
    for (const json::value& entry : tensors) {
        const std::string name = text_of(entry.at("name"));
        CAPTURE(name);
        const ModelTensor &source = *before->find_tensor(name), &made = *after->find_tensor(name);
        CHECK(text_of(entry.at("from")) == source.info->format->name);
        CHECK(text_of(entry.at("to")) == made.info->format->name);
        CHECK(entry.at("bytes_out").to_number<std::uint64_t>() == *made.info->bytes());
        if (source.info->type_id == made.info->type_id) {
            CHECK(entry.at("error").is_null());
            continue;
        }
        ++measured;
        const auto importance = weights->find(name);
        const Sums sums = compare(decoded(*before, source), decoded(*after, made), importance);
        const json::object& error = entry.at("error").as_object();
        const auto is = [&](const char* field, double number) {
            CAPTURE(field);
            CHECK(error.at(field).as_double() == doctest::Approx(number).epsilon(1e-9));
        };
        const auto n = static_cast<double>(sums.count);
        is("relative_rmse", std::sqrt(sums.e2 / sums.w2));
        is("sqnr_db", 10 * std::log10(sums.w2 / sums.e2));
        is("max", sums.max);
        is("rms", std::sqrt(sums.w2 / n));
        is("cosine", sums.wv / std::sqrt(sums.w2 * sums.v2));
        is("gain", sums.wv / sums.w2);
        CHECK(error.at("bias").as_double() == doctest::Approx(sums.e / n / std::sqrt(sums.w2 / n)).epsilon(1e-6));
        const std::uint64_t ne0 = source.info->ne[0];
        CHECK(error.at("max_at") == json::array{sums.max_at % ne0, sums.max_at / ne0});
        if (importance.empty()) {
            CHECK(error.at("weighted_relative_rmse").is_null());
        } else {
            is("weighted_relative_rmse", std::sqrt(sums.ie2 / sums.iw2));
        }
        all.w2 += sums.w2, all.e2 += sums.e2, all.max = std::max(all.max, sums.max);
    }
    CHECK(measured == 44);
    const json::value& total = report.at("total");
    CHECK(total.at("measured") == measured);
    CHECK(total.at("tensors") == tensors.size());
    CHECK(total.at("error").at("relative_rmse").as_double() == doctest::Approx(std::sqrt(all.e2 / all.w2)));
    CHECK(total.at("error").at("max").as_double() == all.max);
}

TEST_CASE("--report: totals by part, layer and type are of their tensors") {
    const TemporaryFolder folder;
    REQUIRE(requant({tiny, folder / "m.gguf", "Q3_K_M", "--report", folder / "r.json"}).exit_code == 0);
    const json::object report = report_of(folder / "r.json");
    for (const auto& [list, field] : {std::pair{"parts", "part"}, {"layers", "layer"}, {"types", "to"}}) {
        std::uint64_t bytes = 0;
        for (const json::value& total : report.at(list).as_array()) {
            std::uint64_t tensors = 0, measured = 0, bytes_out = 0;
            double e2 = 0, w2 = 0;
            for (const json::value& tensor : report.at("tensors").as_array()) {
                if (tensor.at(field) != total.at("name")) continue;
                ++tensors;
                bytes_out += tensor.at("bytes_out").to_number<std::uint64_t>();
                if (tensor.at("error").is_null()) continue;
                ++measured;
                double n = 1;
                for (const json::value& ne : tensor.at("shape").as_array()) n *= ne.to_number<double>();
                const double rms = tensor.at("error").at("rms").as_double();
                const double relative = tensor.at("error").at("relative_rmse").as_double();
                w2 += n * rms * rms;
                e2 += n * rms * rms * relative * relative;
            }
            CAPTURE(json::serialize(total.at("name")));
            CHECK(tensors > 0);
            CHECK(total.at("tensors") == tensors);
            CHECK(total.at("measured") == measured);
            CHECK(total.at("bytes_out") == bytes_out);
            bytes += bytes_out;
            if (measured == 0) {
                CHECK(total.at("error").is_null());
            } else {
                CHECK(total.at("error").at("relative_rmse").as_double() == doctest::Approx(std::sqrt(e2 / w2)));
            }
        }
        if (std::string_view(list) != "layers") CHECK(report.at("total").at("bytes_out") == bytes);
    }
    CHECK(report.at("layers").as_array().size() == 6);
}

TEST_CASE("--report: the same for any number of threads and on any instruction set, but for the times") {
    const TemporaryFolder folder;
    std::optional<json::value> first;
    for (const char* simd : {"", "scalar"}) {
        for (const char* threads : {"1", "3"}) {
            const CommandResult result = run_tool(
                "gguf-requant",
                {tiny, folder / "m.gguf", "Q5_K_M", "--force", "--threads", threads, "--report", folder / "r.json"}, 80,
                {std::string("GGUFKIT_SIMD=") + simd});
            REQUIRE_MESSAGE(result.exit_code == 0, result.err);
            const json::value report = without_times(report_of(folder / "r.json"));
            if (!first) first = report;
            CHECK((report == *first));
        }
    }
}

TEST_CASE("--report: nothing to measure, nothing at all") {
    const TemporaryFolder folder;
    SmallModel().set("general.architecture", "llama").save(folder / "empty.gguf");
    SmallModel().tensor("a", TensorType::F32, {4}).save(folder / "copied.gguf");
    for (const char* name : {"empty", "copied"}) {
        const std::string path = folder / std::string(name) + ".json";
        REQUIRE(requant({folder / std::string(name) + ".gguf", folder / "m.gguf", "Q8_0", "--force", "--report", path})
                    .exit_code == 0);
        CHECK(report_of(path).at("total").at("measured") == 0);
        CHECK(report_of(path).at("total").at("error").is_null());
    }
}

TEST_CASE("--report refuses before the work what it could not do after it") {
    const TemporaryFolder folder;
    const std::string out = folder / "m.gguf";
    const auto refused = [&](int code, std::string_view because, std::vector<std::string> flags) {
        std::vector<std::string> arguments{tiny, out, "Q8_0"};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        const CommandResult result = requant(arguments);
        CAPTURE(result.err);
        CHECK(result.exit_code == code);
        CHECK(result.err.find(because) != result.err.npos);
        CHECK_FALSE(fs::exists(out));
    };
    const std::string page = folder / "r.html";
    refused(2, "ends with neither .json nor .html", {"--report", folder / "r.txt"});
    refused(2, "it would be written twice", {"--report", page, "--report", folder / "./r.html"});
    refused(2, "a dry run has no quality", {"--report", page, "--dry-run"});
    refused(1, "its folder does not exist", {"--report", folder / "no/r.html"});
    write_file(page, "mine");
    refused(1, "--force replaces", {"--report", page});
    CHECK(read_text(page) == "mine");
    CHECK(requant({tiny, out, "Q8_0", "--force", "--report", page}).exit_code == 0);
    CHECK(read_text(page).starts_with("<!doctype html>"));

    const CommandResult output = requant({tiny, folder / "m.json", "Q8_0", "--report", folder / "m.json"});
    CHECK(output.exit_code == 2);
    CHECK(output.err.find("this is the output") != output.err.npos);
}

TEST_CASE("--report of several outputs: one each, named after it") {
    const TemporaryFolder folder;
    const std::string a = folder / "a.gguf", b = folder / "b.gguf";
    const CommandResult result =
        requant({tiny, "Q4_K_M:" + a, "Q8_0:" + b, "--report", folder / "r.json", "--report", folder / "r.html"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    CHECK_FALSE(fs::exists(folder / "r.json"));
    for (const auto& [output, type] : {std::pair("a", "Q4_K_M"), std::pair("b", "Q8_0")}) {
        const std::string name = folder / "r-" + output;
        const json::object report = report_of(name + ".json");
        CHECK(text_of(report.at("output")) == folder / output + ".gguf");
        CHECK(report.at("file_type") == type);
        CHECK(data_of(read_text(name + ".html")) == json::value(report));
        REQUIRE(requant({tiny, folder / "m.gguf", type, "--force", "--report", folder / "alone.json"}).exit_code == 0);
        CHECK(report_of(folder / "alone.json").at("total").at("error") == report.at("total").at("error"));
    }
    CHECK(requant({tiny, "Q4_K_M:" + a, "Q8_0:" + folder / "no/a.gguf", "--report", folder / "r.json"}).exit_code == 2);
}

TEST_CASE("--report x.html is one file with the report in it, that loads nothing, whatever names hold") {
    const TemporaryFolder folder;
    const std::string evil = "</script><script>alert(1)</script>";
    SmallModel()
        .set("general.architecture", "llama")
        .tensor("blk.0." + evil + ".weight", TensorType::F16, {64, 3})
        .tensor("blk.1.{{data}}<!--.weight", TensorType::F16, {64, 3})
        .save(folder / "m.gguf");
    const std::string out = folder / ("<b>&{{title}}.gguf");
    REQUIRE(requant({folder / "m.gguf", out, "Q8_0", "--report", folder / "r.html", "--report", folder / "r.json"})
                .exit_code == 0);
    const std::string page = read_text(folder / "r.html");
    CHECK(data_of(page) == json::value(report_of(folder / "r.json")));
    CHECK(page.find(evil) == page.npos);
    CHECK(page.find("<title>&lt;b>&amp;{{title}}.gguf: quality</title>") != page.npos);
    CHECK(page.find("default-src 'none'") != page.npos);
    for (const char* loading : {"http:", "https:", " src=", "@import", "url("}) CHECK(page.find(loading) == page.npos);
}

TEST_CASE("--report x.html draws itself in a browser without a word on the console") {
    REQUIRE_BROWSER();
    const TemporaryFolder folder;
    const auto load = [&](const fs::path& input, const std::string& type, std::vector<std::string> flags) {
        std::vector<std::string> arguments{input.string(), folder / "m.gguf", type,
                                           "--force",      "--report",        folder / "r.html"};
        arguments.insert(arguments.end(), flags.begin(), flags.end());
        REQUIRE(requant(arguments).exit_code == 0);
        return load_page(folder / "r.html");
    };
    const auto drawn = [](const LoadedPage& page) {
        CHECK(page.console == "");
        return page.dom.find("<html lang=\"en\" data-done=\"yes\">") != page.dom.npos;
    };

    const LoadedPage tiny_page = load(tiny, "Q4_K_M", {"--imatrix", imatrix});
    CHECK(drawn(tiny_page));
    for (const char* part : {"Which layers suffer", "weighted error", "The tensors that lost most",
                             "blk.5.ffn_up.weight", "Where the bytes are", "aria-label=\"blk.2.attn_v.weight: "}) {
        CAPTURE(part);
        CHECK(tiny_page.dom.find(part) != tiny_page.dom.npos);
    }
    SmallModel odd;
    odd.tensor("blk.0.<img onerror=alert(1)>.weight", TensorType::F16, {64, 3})
        .tensor("blk.7.a.weight", TensorType::F16, {64, 3, 2});
    CHECK(drawn(load(odd.save(folder / "not \xff utf-8.gguf"), "Q8_0", {})));
    CHECK(drawn(load(SmallModel().save(folder / "empty.gguf"), "Q8_0", {})));
    CHECK(drawn(load(SmallModel().tensor("a", TensorType::F32, {4}).save(folder / "copied.gguf"), "Q8_0", {})));

    // What this test would see of a page that is broken.
    write_file(folder / "broken.html", "<html lang=\"en\"><script>nowhere();</script></html>");
    CHECK(load_page(folder / "broken.html").console.find("nowhere is not defined") != std::string::npos);
}
