// The judge of quality: KL divergence in the real runtime. Every file type of the legacy and K families that needs no
// imatrix is made twice from the committed Q8_0 model, by gguf-requant and by the reference, and both are compared with
// their source.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <boost/json.hpp>
#include <cmath>
#include <ggufkit/plan.hpp>
#include <map>
#include <sstream>

#include "support/oracle.hpp"
#include "support/temporary.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

TEST_CASE("mean KLD of every legacy and K file type is at most 1.1 times the reference's") {
    REQUIRE_REFERENCE();
    const TemporaryFolder folder;
    const std::string source = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf";
    const std::vector<std::string> types{"Q4_0",   "Q4_1",   "Q5_0",   "Q5_1",   "Q2_K",   "Q3_K_S", "Q3_K_M",
                                         "Q3_K_L", "Q4_K_S", "Q4_K_M", "Q5_K_S", "Q5_K_M", "Q6_K"};
    std::vector<std::string> arguments{source, GGUFKIT_TEST_DATA "/tiny-llama.val.txt", "48"};
    for (const auto& type : types) {
        const auto ours = folder / ("ours-" + type + ".gguf"), theirs = folder / ("reference-" + type + ".gguf");
        const auto made = run_command({GGUFKIT_BIN_DIR "/gguf-requant", source, ours, type});
        REQUIRE_MESSAGE(made.exit_code == 0, made.err);
        const auto reference = oracle({"quantize", source, theirs, std::to_string(find_file_type(type)->id), "2"});
        REQUIRE_MESSAGE(reference.exit_code == 0, reference.err);
        arguments.insert(arguments.end(), {ours, theirs});
    }
    const auto judged = node_script("kld.mjs", arguments);
    REQUIRE_MESSAGE(judged.exit_code == 0, judged.err);

    std::vector<double> kld;
    std::istringstream lines(judged.text());
    for (std::string line; std::getline(lines, line);) {
        const auto row = boost::json::parse(line);
        REQUIRE(row.at("tokens").to_number<int>() >= 4000);
        kld.push_back(row.at("kld").to_number<double>());
    }
    REQUIRE(kld.size() == 2 * types.size());
    double log_sum = 0;
    for (std::size_t i = 0; i < types.size(); i++) {
        const double ours = kld[2 * i], theirs = kld[2 * i + 1];
        log_sum += std::log(ours / theirs);
        fmt::print("{:8} KLD {:.6f}, the reference's {:.6f}, ratio {:.3f}\n", types[i], ours, theirs, ours / theirs);
        CHECK_MESSAGE(ours <= 1.1 * theirs, types[i]);
    }
    fmt::print("geometric mean of the ratios {:.3f}\n", std::exp(log_sum / static_cast<double>(types.size())));
}
