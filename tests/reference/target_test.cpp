// The claim of size targets: at the size of a fixed file type, or less, a target loses less than the reference's file of that type
// and than ours. Judged in the real runtime over the half of the text that no constant of spec/targets.md was fitted on.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/target.hpp>

#include "reference/divergence.hpp"
#include "reference/oracle.hpp"
#include "support/files.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::target;
using namespace ggufkit::test;

namespace {

const std::string source = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string imatrix_file = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

// Its second half.
void write_text(const std::string& path) {
    const std::string text = read_text(GGUFKIT_TEST_DATA "/tiny-llama.val.txt");
    REQUIRE(text.size() == 52000);
    write_file(path, std::string_view(text).substr(26000));
}

void write_fixed(const std::string& path, const Model& model, Recipe recipe, const FileType& type) {
    recipe.mix()->file_type = &type;
    const auto made = execute(model, make_plan(model, recipe).value(), path, {.work = {.threads = 1}});
    REQUIRE_MESSAGE(made, made.error().message());
}

void write_reference(const std::string& path, const FileType& type, bool imatrix) {
    std::vector<std::string> arguments{"quantize", source, path, std::to_string(type.id), "1"};
    if (imatrix) arguments.push_back("imatrix=" + imatrix_file);
    const auto made = oracle(arguments);
    REQUIRE_MESSAGE(made.exit_code == 0, made.err);
}

void write_target(const std::string& path, const Model& model, const Recipe& recipe, const Measurement& measurement,
                  std::uint64_t bytes) {
    const auto made = fit(model, recipe, measurement, bytes);
    REQUIRE_MESSAGE(made, made.error().message());
    REQUIRE(execute(model, made->plan, path, {.work = {.threads = 1}}));
    REQUIRE(std::filesystem::file_size(path) <= bytes);
}

void hold(const Imatrix* imatrix, const std::vector<std::string_view>& types, double worst, double on_average) {
    const TemporaryFolder folder;
    write_text(folder / "text");
    const Model model = Model::open(source).value();
    const Recipe recipe{Mix{.imatrix = imatrix}};
    const Measurement measurement = measure(model, recipe, {.work = {.threads = 1}}).value();
    std::vector<std::string> files;
    for (const std::string_view name : types) {
        const FileType& type = *find_file_type(name);
        const auto file = [&](std::string_view maker) { return folder / fmt::format("{}-{}", maker, name); };
        write_reference(file("theirs"), type, imatrix != nullptr);
        write_fixed(file("ours"), model, recipe, type);
        const auto size =
            std::min(std::filesystem::file_size(file("theirs")), std::filesystem::file_size(file("ours")));
        write_target(file("target"), model, recipe, measurement, size);
        files.insert(files.end(), {file("theirs"), file("ours"), file("target")});
    }
    const std::vector<double> kld = divergences(source, folder / "text", 48, files);
    std::vector<double> ratios;
    for (std::size_t i = 0; i < types.size(); ++i) {
        ratios.push_back(kld[3 * i + 2] / std::min(kld[3 * i], kld[3 * i + 1]));
        fmt::print("{:8} KLD of the reference {:.5f}, ours {:.5f}, of a target {:.5f}: {:.2f} times the better\n",
                   types[i], kld[3 * i], kld[3 * i + 1], kld[3 * i + 2], ratios.back());
        CHECK_MESSAGE(ratios.back() <= worst, types[i]);
    }
    fmt::print("geometric mean {:.3f}\n", geometric_mean(ratios));
    CHECK(geometric_mean(ratios) <= on_average);
}

}  // namespace

TEST_CASE("targets: with an imatrix, less divergence than any fixed type of the same size") {
    REQUIRE_REFERENCE();
    const Imatrix imatrix = Imatrix::open(imatrix_file).value();
    hold(&imatrix, {"IQ2_XXS", "Q2_K", "IQ3_XXS", "IQ4_XS", "Q4_K_M", "Q6_K"}, 0.75, 0.55);
}

TEST_CASE("targets: without an imatrix, less divergence than any fixed type of the same size") {
    REQUIRE_REFERENCE();
    hold(nullptr, {"Q2_K", "IQ3_S", "IQ4_XS", "Q4_K_M", "Q6_K"}, 0.9, 0.75);
}
