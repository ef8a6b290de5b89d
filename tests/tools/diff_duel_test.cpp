// gguf-diff BASE A B: which is nearer in one line, limits for both, tensors that are not in all three, numbers that are none.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstring>
#include <limits>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

namespace {

// One tensor of 64 floats.
SmallModel floats(std::string_view name, const std::vector<float>& values) {
    SmallModel model;
    model.tensor(name, TensorType::F32, {values.size()});
    std::memcpy(model.tensors.front().bytes.data(), values.data(), values.size() * sizeof(float));
    return model;
}

// A base of ones, and two of which each weight is off by a share.
struct Three {
    TemporaryFolder folder;
    std::string base = floats("blk.0.w", std::vector<float>(64, 1.0f)).save(folder / "base.gguf");
    std::string near = floats("blk.0.w", std::vector<float>(64, 1.0625f)).save(folder / "near.gguf");
    std::string far = floats("blk.0.w", std::vector<float>(64, 1.125f)).save(folder / "far.gguf");

    CommandResult diff(std::vector<std::string> arguments) const { return run_tool("gguf-diff", arguments, 100); }
};

}  // namespace

TEST_CASE("gguf-diff BASE A B --brief is one line") {
    const Three files;
    const CommandResult result = files.diff({files.base, files.far, files.near, "--brief"});
    CHECK(result.exit_code == 1);
    CHECK(result.text() ==
          "B is nearer to the base: error 6.25 % against 12.5 %, 50.0 % less; it is of the same size\n");
    CHECK(files.diff({files.base, files.near, files.far, "--brief"}).text().starts_with("A is nearer to the base: "));
    CHECK(files.diff({files.base, files.far, files.far, "--brief"}).text() ==
          "A and B are as far from the base: error 12.5 %\n");
    const CommandResult same = files.diff({files.base, files.base, files.base, "--brief"});
    CHECK(same.exit_code == 0);
    CHECK(same.text() == "the same: A and B hold the weights of the base\n");
}

TEST_CASE("gguf-diff leaves no hole where layers have no error") {
    const TemporaryFolder folder;
    const std::string base = small_llama().save(folder / "base.gguf");
    const CommandResult same = run_tool("gguf-diff", {base, base, base});
    CHECK(same.exit_code == 0);
    CHECK(same.text().find("0 tensors\n\nthe same: A and B hold the weights of the base\n") != std::string::npos);
    // Retyped, and no weight is another.
    SmallModel half, whole;
    for (const char* name : {"blk.0.w", "blk.1.w"}) {
        half.tensor(name, TensorType::BF16, {64});
        whole.tensor(name, TensorType::F32, {64});
        const auto& from = half.at(name).bytes;
        auto& to = whole.at(name).bytes;
        for (std::size_t i = 0; i < to.size(); ++i) to[i] = i % 4 < 2 ? std::byte{0} : from[i / 4 * 2 + i % 2];
    }
    const CommandResult lossless =
        run_tool("gguf-diff", {half.save(folder / "half.gguf").string(), whole.save(folder / "whole.gguf").string()});
    CHECK(lossless.exit_code == 1);
    CHECK(lossless.text().find("values: relative error 0 %") != std::string::npos);
    CHECK(lossless.text().find("\n\n\n") == std::string::npos);
}

TEST_CASE("gguf-diff BASE A B --fail-above holds both to it") {
    const Three files;
    const auto at = [&](const char* limit) {
        return files.diff({files.base, files.near, files.far, "--brief", "--fail-above", limit});
    };
    CHECK(at("relative_rmse=0.2").exit_code == 0);
    CHECK(at("relative_rmse=0.2").err == "");
    const CommandResult one = at("relative_rmse=0.1");
    CHECK(one.exit_code == 1);
    CHECK(one.err == "gguf-diff: B: tensor 'blk.0.w' relative_rmse 0.125 is above 0.1\n");
    const CommandResult both = at("max=0.01");
    CHECK(both.exit_code == 1);
    CHECK(both.err ==
          "gguf-diff: A: tensor 'blk.0.w' max 0.0625 is above 0.01\n"
          "gguf-diff: B: tensor 'blk.0.w' max 0.125 is above 0.01\n");
    CHECK(files.diff({files.base, files.base, files.base, "--fail-above", "max=0"}).exit_code == 0);
}

TEST_CASE("gguf-diff BASE A B tells of tensors that are not in all three") {
    const Three files;
    SmallModel more = floats("blk.0.w", std::vector<float>(64, 1.0f));
    more.tensor("extra", TensorType::F32, {8});
    const std::string extra = more.save(files.folder / "extra.gguf");
    const CommandResult added = files.diff({files.base, files.base, extra});
    CHECK(added.exit_code == 1);
    CHECK(added.text().find("not in the base: 1 tensor, extra\n") != std::string::npos);
    const CommandResult limited = files.diff({files.base, files.base, extra, "--fail-above", "max=9"});
    CHECK(limited.exit_code == 1);
    CHECK(limited.err == "gguf-diff: tensor 'extra' is not in the base\n");

    const CommandResult lacking = files.diff({extra, extra, files.base});
    CHECK(lacking.exit_code == 1);
    CHECK(lacking.text().find("not compared, as A or B lacks them or has another shape: 1 tensor, extra\n") !=
          std::string::npos);
    CHECK(files.diff({extra, extra, files.base, "--fail-above", "max=9"}).err ==
          "gguf-diff: tensor 'extra' is not in all three models in one shape\n");
    const json::object document = json_of(files.diff({files.base, files.base, extra, "--json"}));
    CHECK(document.at("not_in_base") == json::array{"extra"});
    CHECK(document.at("not_compared") == json::array{});
}

TEST_CASE("an importance matrix that only knows what did not change decides nothing") {
    const TemporaryFolder folder;
    SmallModel base = small_llama(),
               a = small_llama();  // attn_q is as wide in the model of the matrix, ffn_down is not
    a.at("blk.1.ffn_down.weight").bytes[5] ^= std::byte{1};
    const std::string path = base.save(folder / "base.gguf"), path_a = a.save(folder / "a.gguf");
    const std::string matrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";
    const CommandResult result = run_tool("gguf-diff", {path, path_a, path, "--imatrix", matrix, "--brief"});
    CHECK(result.text().starts_with("B is nearer to the base: error 0 % against "));
    CHECK(result.err == "gguf-diff: " + matrix + ": fits no tensor that differs: nothing is weighed by it\n");
    const CommandResult same =
        run_tool("gguf-diff", {path, path, path, "--imatrix", matrix, "--fail-above", "weighted_relative_rmse=0"});
    CHECK(same.exit_code == 0);
    CHECK(same.err == "");
}

TEST_CASE("numbers that are none are counted, and never make a model look good") {
    const Three files;
    const float nan = std::numeric_limits<float>::quiet_NaN(), infinity = std::numeric_limits<float>::infinity();
    const std::string none = floats("blk.0.w", std::vector<float>(64, nan)).save(files.folder / "none.gguf").string();
    std::vector<float> values(64, 1.0f);
    values[3] = infinity;
    values[9] = nan;
    const std::string some = floats("blk.0.w", values).save(files.folder / "some.gguf").string();

    const CommandResult two = files.diff({files.base, none});
    CHECK(two.exit_code == 1);
    CHECK(two.text().find("values: relative error –, SQNR –, 0 weights, 64 pairs that are not finite left out\n") !=
          std::string::npos);
    CHECK(two.text().find("0 %") == std::string::npos);
    CHECK(files.diff({files.base, some}).text().find(", 62 weights, 2 pairs that are not finite left out\n") !=
          std::string::npos);

    const CommandResult three = files.diff({files.base, none, files.far, "--brief"});
    CHECK(three.text().starts_with("B is nearer to the base: error 12.5 % against ∞, "));
    CHECK(three.text().ends_with("; of A 64 pairs that are not finite left out\n"));
    CHECK(files.diff({files.base, none, none, "--brief"}).exit_code == 1);
    CHECK(files.diff({files.base, some, files.base, "--fail-above", "max=9"}).err ==
          "gguf-diff: A: tensor 'blk.0.w' has weights that are infinite or not a number\n");

    // The same ones on both sides are the same.
    CHECK(files.diff({some, some, some, "--fail-above", "max=0"}).exit_code == 0);
    CHECK(files.diff({some, some, some}).exit_code == 0);
    CHECK(files.diff({some, some}).exit_code == 0);
    CHECK(files.diff({some, some, "--sample", "2"}).exit_code == 0);
    CHECK(files.diff({some, none, "--sample", "2"}).exit_code == 1);
}
