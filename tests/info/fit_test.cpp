// gguf-info --fit and its flags.
#include <doctest/doctest.h>

#include <boost/json.hpp>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/shapes.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

const std::string tiny = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";

// The tiny model with what the driver would want left out.
CommandResult fit(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), {tiny, "--margin", "0"});
    return run_tool("gguf-info", arguments);
}

boost::json::object fit_json(std::vector<std::string> arguments) {
    arguments.emplace_back("--json");
    const CommandResult result = fit(arguments);
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    return json_of(result);
}

std::uint64_t number(const boost::json::object& object, std::string_view key) {
    return object.at(key).to_number<std::uint64_t>();
}

std::string after_path(const CommandResult& result) {
    CHECK(result.err == "");
    CHECK(result.exit_code == 0);
    const std::string text = result.text();
    return text.substr(std::min(text.size(), text.find('\n')));
}

}  // namespace

TEST_CASE("--fit says what takes how much, what fits, and which file types would") {
    const std::string text = after_path(fit({"--fit", "26MiB", "--ctx", "4096"}));
    CHECK(text.substr(0, text.find("  F16 ")) == R"(

  context    4,096 tokens; the model was trained for 256
  weights    5.33 MiB, 8.51 bits each
  KV cache   12.0 MiB, F16
  compute    about 10.5 MiB, for 512 tokens at once
  all        27.6 MiB on the device, 4.77 MiB on the host

  DEVICE      SIZE  LAYERS   WEIGHTS     CACHE   COMPUTE      FREE
  GPU 0   26.0 MiB       6  4.26 MiB  10.0 MiB  10.5 MiB  1.24 MiB
  host                   1  1.06 MiB  2.00 MiB  10.5 MiB

  6 of 7 layers fit.
  For llama.cpp: --ctx-size 4096 --n-gpu-layers 6
  With this context up to about 5.89 bits a weight would fit:

  FILE TYPE    BPW   WEIGHTS  ON DEVICES  FITS
  F32        32.00  20.0 MiB    41.5 MiB  no
)");
    CHECK(text.find("  as it is    8.51  5.33 MiB    27.6 MiB  no\n") != text.npos);
    CHECK(text.find("  Q4_K_M      4.80  3.00 MiB    25.4 MiB  yes\n") != text.npos);
    CHECK(text.find("  IQ2_XXS     2.30  1.44 MiB    23.9 MiB  yes   needs an imatrix\n") != text.npos);
    CHECK(text.find("TQ1_0") == text.npos);  // for models that were trained to be ternary
}

TEST_CASE("--fit where all fits") {
    const std::string text = after_path(fit({"--fit", "1GiB"}));
    CHECK(text.find("  All of it fits.\n  For llama.cpp: --ctx-size 256 --n-gpu-layers 7\n") != text.npos);
    CHECK(text.find("  With this context it would fit in every type:\n") != text.npos);
}

TEST_CASE("--gpu for each of several devices") {
    const std::string text = after_path(fit({"--gpu", "8MiB", "--gpu", "8MiB"}));
    CHECK(text.find("  GPU 0   8.00 MiB       3   2.40 MiB  384.0 KiB   4.50 MiB  746.0 KiB\n"
                    "  GPU 1   8.00 MiB       4   2.66 MiB  384.0 KiB   4.50 MiB  473.0 KiB\n") != text.npos);
    CHECK(text.find("--n-gpu-layers 7 --tensor-split 3,4\n") != text.npos);
}

TEST_CASE("--fit as JSON adds up") {
    const auto json = fit_json({"--fit", "26MiB", "--ctx", "4096"});
    CHECK(text_of(json.at("file")) == tiny);
    CHECK(number(json, "kv_cache") == 12 << 20);
    CHECK(number(json, "recurrent") == 0);
    CHECK(number(json, "all_layers") == 7);
    CHECK(number(json, "gpu_layers") == 6);
    CHECK(!json.at("fits").as_bool());
    CHECK(json.at("assumptions").as_array().empty());
    std::uint64_t weights = number(json, "input_weights") + number(json, "output_weights"), cache = 0;
    for (const auto& layer : json.at("layers").as_array()) {
        weights += number(layer.as_object(), "weights");
        cache += number(layer.as_object(), "kv_cache");
    }
    CHECK(weights == number(json, "weights"));
    CHECK(cache == number(json, "kv_cache"));
    const auto& device = json.at("devices").at(0).as_object();
    const auto& host = json.at("host").as_object();
    CHECK(number(device, "capacity") == 26 << 20);
    CHECK(number(device, "weights") + number(host, "weights") == weights);
    CHECK(number(device, "cache") + number(host, "cache") == cache);
    CHECK(json.at("largest_bpw").as_double() == doctest::Approx(5.89).epsilon(0.01));
    // A row fits where its bits do.
    for (const auto& row : json.at("file_types").as_array()) {
        const double bpw = row.at("bpw").as_double();
        if (std::abs(bpw - 5.89) > 0.3) CHECK(row.at("fits").as_bool() == (bpw < 5.89));
    }
}

TEST_CASE("--ctx, --batch, --kv-type, --no-flash-attn and --margin change what they say") {
    const auto usual = fit_json({"--fit", "1GiB"});
    CHECK(number(usual, "context") == 256);  // all that it was trained for, and less than 8192
    const auto long_one = fit_json({"--fit", "1GiB", "--ctx", "65536"});
    CHECK(number(long_one, "kv_cache") == 256 * number(usual, "kv_cache"));
    CHECK(number(fit_json({"--fit", "1GiB", "--ctx", "0"}), "context") == 256);
    const auto q8_0 = fit_json({"--fit", "1GiB", "--kv-type", "q8_0"});
    CHECK(number(q8_0, "kv_cache") * 32 == number(usual, "kv_cache") * 17);
    CHECK(text_of(q8_0.at("cache_type")) == "Q8_0");
    const auto batch = fit_json({"--fit", "1GiB", "--ctx", "4096", "--batch", "64"});
    const auto plain = fit_json({"--fit", "1GiB", "--ctx", "4096"});
    CHECK(number(batch, "compute") * 8 == number(plain, "compute"));
    const auto no_flash = fit_json({"--fit", "1GiB", "--ctx", "4096", "--no-flash-attn"});
    CHECK(number(no_flash, "compute") > 5 * number(plain, "compute"));
    CHECK(!no_flash.at("flash_attention").as_bool());
    const CommandResult driver = run_tool("gguf-info", {tiny, "--fit", "1GiB", "--json"});
    CHECK(number(json_of(driver), "margin") == 1 << 30);
    CHECK(number(json_of(driver), "gpu_layers") == 0);
}

TEST_CASE("--fit says what --margin keeps free, and whether all would fit without it") {
    const auto text = [](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), tiny);
        return run_tool("gguf-info", arguments).text();
    };
    CHECK(text({"--fit", "1GiB"})
              .find("  0 of 7 layers fit.\n  --margin keeps 1.00 GiB of the device free; without it, "
                    "all layers fit.\n") != std::string::npos);
    CHECK(text({"--fit", "6MiB", "--margin", "2MiB"})
              .find("--margin keeps 2.00 MiB of the device free; without it, not "
                    "all layers fit either.\n") != std::string::npos);
    CHECK(text({"--fit", "6MiB", "--margin", "0"}).find("--margin") == std::string::npos);
    CHECK(text({"--fit", "2GiB"}).find("--margin") == std::string::npos);
    const auto json = [&](const std::string& size) {
        return json_of(run_tool("gguf-info", {tiny, "--fit", size, "--json"}));
    };
    CHECK(json("1GiB").at("fits_without_margin").as_bool());
    CHECK(!json("1GiB").at("fits").as_bool());
    CHECK(!json("1MiB").at("fits_without_margin").as_bool());
}

TEST_CASE("--fit has one sum for what all layers take on devices") {
    for (const std::vector<std::string>& devices :
         {std::vector<std::string>{"--fit", "1GiB"}, {"--gpu", "8MiB", "--gpu", "8MiB"}}) {
        const auto json = fit_json(devices);
        CHECK(json.at("fits").as_bool());
        std::uint64_t sum = 0;
        for (const auto& device : json.at("devices").as_array())
            for (const char* part : {"weights", "cache", "compute"}) sum += number(device.as_object(), part);
        for (const auto& row : json.at("file_types").as_array())
            if (row.at("name").is_null()) CHECK(number(row.as_object(), "devices") == sum);
    }
}

TEST_CASE("the longest context that fits is the longest that fits") {
    const TemporaryFolder folder;
    make_shape("llama-3-8b").save(folder / "model.gguf");
    const auto ask = [&](const std::string& context) {
        return json_of(run_tool(
            "gguf-info", {folder / "model.gguf", "--fit", "14700MiB", "--margin", "0", "--ctx", context, "--json"}));
    };
    const std::uint64_t longest = number(ask("256"), "largest_context");
    REQUIRE(longest >= 256);
    REQUIRE(longest < number(ask("256"), "trained_context"));
    CHECK(ask(std::to_string(longest)).at("fits").as_bool());
    CHECK(!ask(std::to_string(longest + 1)).at("fits").as_bool());
    CHECK(number(ask(std::to_string(longest + 1)), "largest_context") == longest);
}

TEST_CASE("--fit of what it cannot be said of, and misuse") {
    const CommandResult vocabulary =
        run_tool("gguf-info", {GGUFKIT_TEST_DATA "/ggml-vocab-bert-bge.gguf", "--fit", "1G"});
    CHECK(vocabulary.exit_code == 1);
    CHECK(vocabulary.err.find("has no tensors: there is nothing to run") != std::string::npos);
    CHECK(run_tool("gguf-info", {"/nowhere.gguf", "--fit", "1G"}).exit_code == 1);
    const auto misused = [](std::vector<std::string> arguments, std::string_view message) {
        arguments.insert(arguments.begin(), tiny);
        const CommandResult result = run_tool("gguf-info", arguments);
        CHECK(result.exit_code == 2);
        CHECK_MESSAGE(result.err.find(message) != std::string::npos, result.err);
    };
    misused({"--fit", "much"}, "'much' is no size such as 4G");
    misused({"--fit", "0"}, "no size");
    misused({"--fit", "24"}, "'24' has no unit: write 24GiB or 24MiB (24B for bytes)");
    misused({"--gpu", "1.5"}, "'1.5' has no unit");
    misused({"--fit", "1G", "--margin", "512"}, "'512' has no unit");
    misused({"--fit", "1G", "--gpu", "1G"}, "excludes");
    misused({"--fit", "1G", "--tensors"}, "excludes");
    misused({"--ctx", "4096"}, "--ctx requires --fit, --gpu or --html");
    misused({"--margin", "1G"}, "--margin requires --fit, --gpu or --html");
    misused({"--fit", "1G", "--kv-type", "Q6_K"}, "'Q6_K' is not one of");
    misused({"--fit", "1G", "--batch", "0"}, "--batch");
    misused({"--fit", "1G", "--kv-type", "q8_0", "--no-flash-attn"}, "a Q8_0 cache of values needs flash attention");
}
