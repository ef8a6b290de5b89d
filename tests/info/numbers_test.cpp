// gguf-info's look at tensor data, run as a user would.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <cmath>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <thread>

#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

const std::string trained = std::string(GGUFKIT_TEST_DATA) + "/tiny-llama-Q8_0.gguf";

CommandResult info(std::vector<std::string> arguments, int columns = 80, std::vector<std::string> environment = {}) {
    return run_tool("gguf-info", std::move(arguments), columns, std::move(environment));
}

// Two tensors whose numbers can be checked by eye.
SmallModel by_eye() {
    SmallModel model;
    std::vector<float> values(64);
    for (std::size_t i = 0; i < 64; ++i) values[i] = static_cast<float>(i % 8) - 3.5f;
    const auto bytes = std::as_bytes(std::span(values));
    model.tensors.push_back({"f", TensorType::F32, {32, 2}, {bytes.begin(), bytes.end()}});
    // Q4_0: d = 1, codes 0 1 2 … 15 0 1 2 … 15; then d = 0.5, all codes 8.
    std::vector<std::byte> blocks(36);
    blocks[1] = std::byte{0x3c};
    blocks[19] = std::byte{0x38};
    for (std::size_t i = 0; i < 16; ++i) {
        blocks[2 + i] = static_cast<std::byte>(i * 0x11);
        blocks[20 + i] = std::byte{0x88};
    }
    model.tensors.push_back({"q", TensorType::Q4_0, {32, 2}, blocks});
    return model;
}

unsigned long cpu_ticks(pid_t pid) {
    std::ifstream stat("/proc/" + std::to_string(pid) + "/stat");
    std::string word;
    for (int i = 0; i < 13; ++i) stat >> word;
    unsigned long user = 0, system = 0;
    stat >> user >> system;
    return user + system;
}

// Runs gguf-info on a hole of zeros that nobody has time for, acts once it is at work, and returns how it ended.
int run_until_at_work(const TemporaryFolder& folder, std::string option, const std::function<void(pid_t)>& act) {
    std::string file = folder / "hole.gguf";
    HeaderModel("llama").tensor("t", {1 << 16, 1 << 20}, TensorType::F32).save(file);

    std::string tool = program("gguf-info"), threads = "--threads=1";
    char* arguments[]{tool.data(), file.data(), option.data(), threads.data(), nullptr};
    const std::string messages = folder / "messages";
    posix_spawn_file_actions_t actions;
    ::posix_spawn_file_actions_init(&actions);
    ::posix_spawn_file_actions_addopen(&actions, 2, messages.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
    pid_t child = 0;
    REQUIRE(::posix_spawn(&child, tool.c_str(), &actions, nullptr, arguments, environ) == 0);
    ::posix_spawn_file_actions_destroy(&actions);
    // Well behind what a program does to begin with, which takes sanitized ones longer.
#ifdef GGUFKIT_SANITIZED
    constexpr unsigned long ticks = 150;
#else
    constexpr unsigned long ticks = 10;
#endif
    int status = 0;
    while (::waitpid(child, &status, WNOHANG) == 0 && cpu_ticks(child) < ticks)
        std::this_thread::sleep_for(std::chrono::milliseconds(5));
    act(child);
    ::waitpid(child, &status, 0);
    return status;
}

}  // namespace

TEST_CASE("--stats: a line a tensor") {
    const auto narrow = info({trained, "--stats", "blk.0.ffn*"});
    CHECK(narrow.exit_code == 0);
    CHECK(narrow.err == "");
    CHECK("\n" + narrow.text() == R"(
TENSOR                 TYPE     MIN    MAX     RMS  KURT  HISTOGRAM
blk.0.ffn_down.weight  Q8_0  -0.212  0.232  0.0463   3.1  ▁▁▄██▄▁▁
blk.0.ffn_gate.weight  Q8_0  -0.229  0.202  0.0473   3.0  ▁▁▄██▄▁▁
blk.0.ffn_norm.weight  F32     0.88   1.05   0.954   3.0   ▁▃█▇▄▁▁
blk.0.ffn_up.weight    Q8_0  -0.207  0.195  0.0462   3.0  ▁▁▄██▄▁▁

4 tensors, 590,080 weights, all finite; 0 outliers (beyond 6 local rms)
)");
    CHECK("\n" + info({trained, "--stats", "blk.0.ffn*"}, 120).text() == R"(
TENSOR                 TYPE     MIN    MAX       MEAN     RMS  KURT  HISTOGRAM         ZEROS
blk.0.ffn_down.weight  Q8_0  -0.212  0.232   -5.3e-05  0.0463   3.1  ▁▁▁▁▂▄▇██▇▄▂▁▁▁▁  1,420
blk.0.ffn_gate.weight  Q8_0  -0.229  0.202   0.000352  0.0473   3.0  ▁▁▁▁▂▄▇██▇▄▂▁▁▁▁  1,370
blk.0.ffn_norm.weight  F32     0.88   1.05      0.953   0.954   3.0     ▁▂▃▆██▄▄▂▁▁▁
blk.0.ffn_up.weight    Q8_0  -0.207  0.195  -0.000173  0.0462   3.0  ▁▁▁▁▂▄▇██▇▄▂▁▁▁▁  1,395

4 tensors, 590,080 weights, all finite; 0 outliers (beyond 6 local rms)
)");
    // Every tensor where no pattern is given, whichever comes first.
    CHECK(info({"--stats", trained}).text() == info({trained, "--stats"}).text());
    CHECK(info({trained, "--stats"}).text().find("57 tensors") != std::string::npos);
}

TEST_CASE("--stats: one tensor, or all with --long, in full") {
    const TemporaryFolder folder;
    const auto path = by_eye().save(folder / "eye.gguf").string();
    CHECK("\n" + info({path, "--stats", "q"}).text() == R"(
q  Q4_0  32x2

  weights    64
  range      -8 to 7
  mean       -0.25
  rms        3.27872
  spread     3.26917 (standard deviation)
  skewness   -0.2281
  kurtosis   3.574 (3: as a normal distribution)
  zeros      34 (53.1 %)
  NaN        0
  infinite   0
  outliers   0, beyond 6 rms of the 4,096 weights around

  SCALE  COUNT  MIN  MAX    RMS  ZERO  SUBNORMAL  NAN  INF
  d          2  0.5    1  0.791     0          0    0    0

   FROM  SPREADS  WEIGHTS
  -13.3     -4.0        0
  -11.7     -3.5        0
  -10.1     -3.0        0
  -8.42     -2.5        4  ████
  -6.79     -2.0        2  ██
  -5.15     -1.5        4  ████
  -3.52     -1.0        4  ████
  -1.88     -0.5        2  ██
  -0.25     +0.0       36  ████████████████████████████████████████
   1.38     +0.5        4  ████
   3.02     +1.0        2  ██
   4.65     +1.5        4  ████
   6.29     +2.0        2  ██
   7.92     +2.5        0
   9.56     +3.0        0
   11.2     +3.5        0
)");
    const std::string both = info({path, "--stats", "--long"}).text();
    CHECK(both.find("f  F32  32x2\n\n  weights    64\n") == 0);
    CHECK(both.find("\nq  Q4_0  32x2\n\n  weights    64\n") != std::string::npos);
}

TEST_CASE("--stats: NaN, infinities, outliers and scales that are not as they should be stand out") {
    const TemporaryFolder folder;
    SmallModel model = by_eye();
    const float nan = std::nanf(""), infinity = INFINITY;
    std::memcpy(&model.at("f").bytes[4], &nan, 4);
    std::memcpy(&model.at("f").bytes[8], &infinity, 4);
    model.at("q").bytes[1] = std::byte{0};
    model.at("q").bytes[18] = std::byte{1};
    model.at("q").bytes[19] = std::byte{0};
    const std::string text = info({model.save(folder / "a.gguf").string(), "--stats"}, 100).text();
    CHECK("\n" + text == R"(
TENSOR  TYPE   MIN  MAX  RMS  KURT  HISTOGRAM  NAN  INF  SCALES
f       F32   -3.5  3.5  2.3   1.8    ████       1    1
q       Q4_0     0    0    0     -      █                d: 1 zero, d: 1 subnormal
)"
                         "\n2 tensors, 128 weights, 1 NaN, 1 infinite; 0 outliers (beyond 6 local rms)\n");
}

TEST_CASE("--stats --json") {
    const TemporaryFolder folder;
    const auto path = by_eye().save(folder / "eye.gguf").string();
    const auto json = json_of(info({path, "--stats", "--json"}));
    CHECK(text_of(json.at("file")) == path);
    const auto& stats = json.at("stats").as_array();
    REQUIRE(stats.size() == 2);
    const auto& f = stats[0].as_object();
    CHECK(text_of(f.at("name")) == "f");
    CHECK(text_of(f.at("type")) == "F32");
    CHECK(f.at("count").to_number<int>() == 64);
    CHECK(f.at("min").to_number<double>() == -3.5);
    CHECK(f.at("max").to_number<double>() == 3.5);
    CHECK(f.at("mean").to_number<double>() == doctest::Approx(0).epsilon(1e-6));
    CHECK(f.at("rms").to_number<double>() == doctest::Approx(std::sqrt(5.25)));
    CHECK(f.at("spread").to_number<double>() == doctest::Approx(std::sqrt(5.25)));
    CHECK(f.at("kurtosis").to_number<double>() == doctest::Approx(1.7619).epsilon(1e-4));
    CHECK(f.at("outliers").to_number<int>() == 0);
    CHECK(f.at("scales").as_array().empty());
    const auto& histogram = f.at("histogram").as_object();
    CHECK(histogram.at("counts").as_array().size() == 32);
    CHECK(histogram.at("low").to_number<double>() == doctest::Approx(-4 * std::sqrt(5.25)));
    const auto& scale = stats[1].as_object().at("scales").as_array().at(0).as_object();
    CHECK(text_of(scale.at("field")) == "d");
    CHECK(scale.at("max").to_number<double>() == 1);
    CHECK(scale.at("subnormal").to_number<int>() == 0);
}

TEST_CASE("--stats: the same on every instruction set and for any --threads") {
    const std::string expected = info({trained, "--stats", "--json"}).text();
    CHECK(info({trained, "--stats", "--json", "--threads", "1"}, 80, {"GGUFKIT_SIMD=scalar"}).text() == expected);
    CHECK(info({trained, "--stats", "--json", "--threads", "5"}, 80, {"GGUFKIT_SIMD=sse4"}).text() == expected);
    CHECK(info({trained, "--stats", "--threads", "0"}).exit_code == 2);
    CHECK(info({trained, "--stats", "--threads", "1025"}).exit_code == 2);
}

TEST_CASE("--peek") {
    const TemporaryFolder folder;
    const auto path = by_eye().save(folder / "eye.gguf").string();
    CHECK("\n" + info({path, "--peek", "q"}).text() == R"(
q  Q4_0  32x2  x = d * (code - 8)

block 0 (columns 0 to 31) at 0x180
  bytes   0: 00 3c 00 11 22 33 44 55 66 77 88 99 aa bb cc dd
         16: ee ff
  d      1
  code    0:  0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15
         16:  0  1  2  3  4  5  6  7  8  9 10 11 12 13 14 15

weights of row 0
          0: -8 -7 -6 -5
          4: -4 -3 -2 -1
          8:  0  1  2  3
         12:  4  5  6  7
         16: -8 -7 -6 -5
         20: -4 -3 -2 -1
         24:  0  1  2  3
         28:  4  5  6  7
)");
    CHECK("\n" + info({path, "--peek", "f[1,30:2]"}).text() == R"(
f  F32  32x2  x = value

columns 30 to 31 at 0x178
  bytes  00002040 00006040

weights of row 1
         2.5 3.5
)");
    const auto json = json_of(info({path, "--peek", "q[1,30]", "--json"})).at("peek").as_object();
    CHECK(text_of(json.at("name")) == "q");
    CHECK(text_of(json.at("formula")) == "x = d * (code - 8)");
    CHECK(json.at("row").to_number<int>() == 1);
    CHECK(json.at("column").to_number<int>() == 30);
    CHECK(json.at("values").as_array().size() == 2);
    const auto& block = json.at("blocks").as_array().at(0).as_object();
    CHECK(block.at("column").to_number<int>() == 0);
    CHECK(block.at("offset").to_number<int>() == 0x180 + 18);
    CHECK(text_of(block.at("bytes")) == "0038" + std::string(32, '8'));
    CHECK(block.at("parts").as_object().at("d").as_array().at(0).to_number<double>() == 0.5);
    CHECK(block.at("parts").as_object().at("code").as_array().size() == 32);

    for (const auto& [place, message] :
         {std::pair{"nope", "tensor 'nope': there is none"},
          {"q[2]", "tensor 'q': there is no row 2: it has 2"},
          {"q[0,32]", "tensor 'q': a row has 32 columns, so there are no 32 from column 32 on"},
          {"q[0,1:32]", "tensor 'q': a row has 32 columns, so there are no 32 from column 1 on"},
          {"q[]", "'q[]': is no place: NAME[row,column:count] is"},
          {"q[1:2]", "'q[1:2]': is no place: NAME[row,column:count] is"},
          {"q[1,2:]", "'q[1,2:]': is no place: NAME[row,column:count] is"},
          {"q[-1]", "'q[-1]': is no place: NAME[row,column:count] is"}}) {
        CAPTURE(place);
        const auto refused = info({path, "--peek", place});
        CHECK(refused.exit_code == 1);
        CHECK(refused.text() == "");
        CHECK(refused.err == "gguf-info: " + path + ": " + message + "\n");
    }
}

TEST_CASE("--hash prints what --manifest writes, which sha256sum and --verify check") {
    const TemporaryFolder folder;
    const auto path = by_eye().save(folder / "eye.gguf").string();
    const std::string manifest = folder / "eye.sha256";
    const auto written = info({path, "--manifest", manifest});
    CHECK(written.exit_code == 0);
    CHECK(written.text() == "");
    CHECK(read_text(manifest) == info({path, "--hash", "sha256"}).text());
    CHECK(std::ranges::count(read_text(manifest), '\n') == 3);
    CHECK(read_text(manifest).starts_with("sha256    "));
    CHECK(run_shell("sha256sum -c '" + manifest + "' 2> /dev/null").text() == path + ": OK\n");

    const auto verified = info({path, "--verify", manifest});
    CHECK(verified.exit_code == 0);
    CHECK(verified.text() == path + ": fits " + manifest + ": 3 of 3 lines the same\n");
    CHECK(info({path, "--manifest", manifest, "--hash", "xxh64", "--force"}).exit_code == 0);
    CHECK(read_text(manifest).starts_with("xxh64     "));
    const auto refused = info({path, "--manifest", path, "--force"});
    CHECK(refused.exit_code == 1);
    CHECK(refused.err == "gguf-info: " + path + ": is an input of the same command\n");
    const std::string nowhere = folder / "no/m.sha256";
    CHECK(info({path, "--manifest", nowhere}).err == "gguf-info: " + nowhere + ": its folder does not exist\n");
    CHECK(info({path, "--stats"}).exit_code == 0);
    CHECK(info({path, "--hash", "md5"}).exit_code == 2);
    CHECK(info({path, "--hash"}).text() == info({"--hash", path}).text());
    CHECK(info({path, "--hash"}).text().starts_with("xxh128    "));
}

TEST_CASE("what looks at tensor data does not go with sections of the header") {
    for (const char* section : {"--tensors", "--layers", "--check", "--check-data"}) {
        CAPTURE(section);
        const auto refused = info({trained, "--stats", "--threads=1", section});
        CHECK(refused.exit_code == 2);
        CHECK(refused.text() == "");
    }
}

TEST_CASE("--verify MANIFEST: what differs") {
    const TemporaryFolder folder;
    SmallModel model = by_eye();
    const auto path = model.save(folder / "eye.gguf").string();
    const std::string manifest = folder / "eye.sha1";
    REQUIRE(info({path, "--manifest", manifest, "--hash", "sha1"}).exit_code == 0);
    model.at("q").bytes[2] = std::byte{7};
    model.remove("f");
    model.save(path);
    const auto found = info({path, "--verify", manifest});
    CHECK(found.exit_code == 1);
    CHECK(found.text().find("missing  f  ") == 0);
    CHECK(found.text().find("\ndiffers  q  ") != std::string::npos);
    CHECK(found.text().find("does not fit " + manifest + ": 0 of 3 lines the same\n") != std::string::npos);
    const auto json = json_of(info({path, "--verify", manifest, "--json"}));
    CHECK(json.at("holds").as_bool() == false);
    const auto& lines = json.at("lines").as_array();
    REQUIRE(lines.size() == 3);
    CHECK(text_of(lines[0].at("finding")) == "missing");
    CHECK(text_of(lines[1].at("finding")) == "differs");
    CHECK(text_of(lines[1].at("tensor")) == "q");
    CHECK(text_of(lines[1].at("kind")) == "sha1");
    CHECK(text_of(lines[1].at("found")).size() == 40);
    CHECK(lines[2].at("tensor").is_null());
    const auto hashes = json_of(info({path, "--hash", "xxh64", "--json"})).at("hashes").as_array();
    REQUIRE(hashes.size() == 2);
    CHECK(text_of(hashes[0].at("kind")) == "xxh64");
    CHECK(text_of(hashes[0].at("of")) == "tensor");
    CHECK(text_of(hashes[1].at("of")) == "file");
    CHECK(text_of(hashes[1].at("hash")).size() == 16);
}

TEST_CASE("--check-data: faults in the data are told as those of the header are") {
    const TemporaryFolder folder;
    CHECK(info({trained, "--check-data"}).text() == trained + ": valid, no problems found\n");
    SmallModel model = small_llama();
    model.at("blk.1.attn_v.weight").bytes[34 * (8 * 5 + 3) + 1] = std::byte{0x7e};
    const auto path = model.save(folder / "a.gguf").string();
    CHECK(info({path, "--check"}).exit_code == 0);
    const auto found = info({path, "--check-data"});
    CHECK(found.exit_code == 1);
    CHECK(found.text().find(
              "GGUF-R046 BAD_QUANT  tensor 'blk.1.attn_v.weight': row 5, block 3 (columns 96 to 127): d is NaN\n") !=
          std::string::npos);
    CHECK(found.text().find("invalid, 1 error\n") != std::string::npos);
    const auto diagnostics = json_of(info({path, "--check-data", "--json"})).at("diagnostics").as_array();
    REQUIRE(diagnostics.size() == 1);
    CHECK(text_of(diagnostics[0].at("rule")) == "GGUF-R046");
    CHECK(text_of(diagnostics[0].at("code")) == "BAD_QUANT");
    CHECK(diagnostics[0].at("offset").is_int64());
    // A tensor whose data are not all there does not keep the others from being looked at.
    std::filesystem::resize_file(path, std::filesystem::file_size(path) - 64);
    const auto cut = info({path, "--check-data"});
    CHECK(cut.exit_code == 1);
    CHECK(cut.text().find("DATA_PAST_EOF") != std::string::npos);
    CHECK(cut.text().find("d is NaN") != std::string::npos);
}

TEST_CASE("tensor data of a compressed model, of one in a pipe, and of one in shards") {
    const TemporaryFolder folder;
    SmallModel model = small_llama();
    const auto path = model.save(folder / "a.gguf").string();
    const auto shards = model.save_split(folder / "s", 3).string();
    REQUIRE(run_tool("gguf-requant", {path, folder / "c.gguf.zst", "COPY"}).exit_code == 0);
    const auto after_name = [](const std::string& text) { return text.substr(text.find(",\"stats\"")); };
    const std::string expected = after_name(info({path, "--stats", "--json"}).text());
    CHECK(after_name(info({folder / "c.gguf.zst", "--stats", "--json"}).text()) == expected);
    CHECK(after_name(run_shell("cat '" + path + "' | $BIN/gguf-info - --stats --json").text()) == expected);
    CHECK(info({shards, "--stats"}).text().find("9 tensors") != std::string::npos);
    CHECK(info({folder / "c.gguf.zst", "--check-data"}).exit_code == 0);
    CHECK(run_shell("cd '" + folder.path().string() +
                    "' && $BIN/gguf-info c.gguf.zst --manifest m && sha256sum -c m 2> /dev/null")
              .text() == "c.gguf.zst: OK\n");
}

TEST_CASE("looking at tensor data can be cancelled: exit code 130") {
    const TemporaryFolder folder;
    for (const auto& [option, signal] :
         {std::pair{"--stats", SIGINT}, {"--hash=sha256", SIGTERM}, {"--check-data", SIGINT}}) {
        CAPTURE(option);
        const int status = run_until_at_work(folder, option, [&](pid_t child) { ::kill(child, signal); });
        CHECK(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 130);
        CHECK(read_text(folder / "messages") == "gguf-info: cancelled\n");
    }
}

TEST_CASE("a file that becomes shorter while it is looked at is an error, and no crash") {
    const TemporaryFolder folder;
    for (const char* option : {"--stats", "--hash=sha256", "--check-data"}) {
        CAPTURE(option);
        const int status =
            run_until_at_work(folder, option, [&](pid_t) { std::filesystem::resize_file(folder / "hole.gguf", 4096); });
        CHECK(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 1);
        CHECK(read_text(folder / "messages") ==
              "gguf-info: a file became shorter, or could not be read, while it was looked at\n");
    }
}
