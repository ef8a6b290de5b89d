// gguf-diff: one figure for one pair, factors in NAME.scale, models made with an importance matrix, Ctrl-C.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <ggufkit/quant/quantize.hpp>
#include <thread>

#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"
#include "tools/different_models.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;

TEST_CASE("gguf-diff BASE A and BASE A B say the same error of A, by part and by layer too") {
    const TemporaryFolder folder;
    const Contest models = contest();
    SmallModel two = models.b;
    two.remove("output.weight");
    const std::string base = models.base.save(folder / "base.gguf"), a = models.a.save(folder / "a.gguf"),
                      b = two.save(folder / "b.gguf");
    const json::object pair = json_of(run_tool("gguf-diff", {base, a, "--json"}));
    const json::object three = json_of(run_tool("gguf-diff", {base, a, b, "--json"}));
    CHECK(pair.at("total") == three.at("a").at("error"));
    for (const char* list : {"parts", "layers"}) {
        const json::array &in_pair = pair.at(list).as_array(), &in_three = three.at(list).as_array();
        REQUIRE(in_pair.size() == in_three.size());
        for (std::size_t i = 0; i < in_pair.size(); ++i) {
            CHECK(in_pair[i].at("name") == in_three[i].at("name"));
            CHECK(in_pair[i].at("error") == in_three[i].at("a"));
        }
    }
    const json::object sampled = json_of(run_tool("gguf-diff", {base, a, "--json", "--sample", "4"}));
    CHECK(sampled.at("total") ==
          json_of(run_tool("gguf-diff", {base, a, b, "--json", "--sample", "4"})).at("a").at("error"));
}

TEST_CASE("gguf-diff multiplies weights by NAME.scale, which is no tensor that cannot be compared") {
    const TemporaryFolder folder;
    SmallModel packed, floats;
    packed.tensor("blk.0.ffn_up.weight", TensorType::NVFP4, {256, 64});
    packed.tensor("blk.0.ffn_up.scale", TensorType::F32, {1});
    const float factor = 1.7e-3f;
    std::memcpy(packed.at("blk.0.ffn_up.scale").bytes.data(), &factor, sizeof factor);
    floats.tensor("blk.0.ffn_up.weight", TensorType::F32, {256, 64});
    std::vector<float> values(std::size_t{256} * 64);
    REQUIRE(dequantize_rows(TensorType::NVFP4, packed.at("blk.0.ffn_up.weight").bytes, values));
    for (float& value : values) value *= factor;
    std::memcpy(floats.tensors[0].bytes.data(), values.data(), floats.tensors[0].bytes.size());
    const std::string a = floats.save(folder / "a.gguf"), b = packed.save(folder / "b.gguf");

    const json::object pair = json_of(run_tool("gguf-diff", {a, b, "--json"}));
    CHECK(pair.at("total").at("relative_rmse").as_double() == 0);
    CHECK(pair.at("tensors").at(0).at("rescaled") == true);
    const CommandResult limited = run_tool("gguf-diff", {a, b, "--fail-above", "relative_rmse=0"});
    CHECK(limited.exit_code == 0);
    CHECK(limited.err == "");
    const CommandResult three = run_tool("gguf-diff", {a, b, b, "--fail-above", "relative_rmse=0"});
    CHECK(three.exit_code == 0);
    CHECK(three.err == "");
    CHECK(run_tool("gguf-diff", {a, b, b}).exit_code == 0);
}

TEST_CASE("gguf-diff says where errors take no account of the importance matrix that a model was made with") {
    const TemporaryFolder folder;
    const Contest models = contest();
    SmallModel a = models.a, b = models.b;
    b.remove("output.weight");
    a.set("quantize.imatrix.file", "a.imatrix");
    const std::string base = models.base.save(folder / "base.gguf"), of_a = a.save(folder / "a.gguf"),
                      plain = models.a.save(folder / "plain.gguf"), of_b = b.save(folder / "b.gguf");
    const std::string note =
        "gguf-diff: note: B was made with an importance matrix (a.imatrix), but errors here weigh "
        "all columns alike; pass --imatrix a.imatrix to weigh them by it\n";
    CHECK(run_tool("gguf-diff", {base, of_a}).err == note);
    CHECK(run_tool("gguf-diff", {of_b, of_a, "--json"}).err == note);
    CHECK(run_tool("gguf-diff", {base, of_b, of_a}).err == note);
    CHECK(run_tool("gguf-diff", {base, plain}).err == "");
    CHECK(run_tool("gguf-diff", {of_a, of_a}).err == "");  // nothing differs
    const json::object pair = json_of(run_tool("gguf-diff", {base, of_a, "--json"}));
    CHECK(pair.at("imatrix_a").is_null());
    CHECK(pair.at("imatrix_b") == "a.imatrix");
    const json::object three = json_of(run_tool("gguf-diff", {base, of_a, of_b, "--json"}));
    CHECK(three.at("a").at("imatrix") == "a.imatrix");
    CHECK(three.at("b").at("imatrix").is_null());
}

namespace {

// Enough to compare for a while, mostly holes on disk.
std::string big_model(const TemporaryFolder& folder, const std::string& name) {
    const std::string path = folder / name;
    HeaderModel model("llama");
    for (int i = 0; i < 8; ++i) model.tensor(fmt::format("t{}.weight", i), {4096, 1 << 17}, TensorType::Q4_K);
    model.save(path);
    return path;
}

// Whether a process takes SIGINT with a thread of its own, or has ended.
bool waits_for_signals(pid_t process) {
    std::ifstream status("/proc/" + std::to_string(process) + "/status");
    for (std::string line; std::getline(status, line);) {
        if (line.starts_with("State:") && line.find('Z') != line.npos) return true;
        if (!line.starts_with("SigBlk:")) continue;
        return (std::stoull(line.substr(line.find('\t') + 1), nullptr, 16) >> (SIGINT - 1) & 1) != 0;
    }
    return true;
}

}  // namespace

TEST_CASE("gguf-diff says so when it is stopped") {
    const TemporaryFolder folder;
    const std::string a = big_model(folder, "a.gguf"), b = big_model(folder, "b.gguf"), err = folder / "err";
    for (const int signal : {SIGINT, SIGTERM}) {
        const pid_t child = ::fork();
        REQUIRE(child >= 0);
        if (child == 0) {
            const int to = ::open(err.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
            ::dup2(to, STDERR_FILENO);
            const std::string tool = program("gguf-diff");
            ::execl(tool.c_str(), tool.c_str(), a.c_str(), b.c_str(), static_cast<char*>(nullptr));
            ::_exit(127);
        }
        while (!waits_for_signals(child)) std::this_thread::sleep_for(std::chrono::milliseconds(5));
        ::kill(child, signal);
        int status = 0;
        REQUIRE(::waitpid(child, &status, 0) == child);
        REQUIRE(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 130);
        const auto bytes = read_bytes(err);
        CHECK(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()) == "gguf-diff: cancelled\n");
    }
}
