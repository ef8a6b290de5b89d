// gguf-requant as a program: its arguments, what it prints, what it leaves behind.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/json.hpp>
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <ggufkit/quant/quantize.hpp>
#include <ggufkit/requant/plan.hpp>
#include <map>
#include <thread>
#include <tuple>

#include "io/mapped_file.hpp"
#include "quant/simd/target.hpp"
#include "support/files.hpp"
#include "support/header_model.hpp"
#include "support/imatrix_files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

using Names = std::vector<std::string>;

SmallModel f16_model() {
    SmallModel model = small_llama();
    for (auto& tensor : model.tensors) {
        if (tensor.ne.size() < 2) continue;
        SmallModel made;
        made.tensor(tensor.name, TensorType::F16, tensor.ne);
        tensor = made.tensors[0];
    }
    return model;
}

CommandResult requant(std::vector<std::string> arguments, int columns = 80) {
    return run_tool("gguf-requant", std::move(arguments), columns);
}

}  // namespace

TEST_CASE("the positional arguments of llama-quantize, and fewer") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf", output = folder / "out.gguf";
    f16_model().save(input);
    const auto output_of = [&](std::vector<std::string> arguments) {
        arguments.insert(arguments.begin(), input);
        for (const char* flag : {"--dry-run", "--json"}) arguments.emplace_back(flag);
        const CommandResult result = requant(arguments);
        CAPTURE(result.err);
        REQUIRE(result.exit_code == 0);
        const json::object plan = json_of(result);
        return fs::path(text_of(plan.at("output"))).filename().string() + " " + text_of(plan.at("file_type"));
    };
    CHECK(output_of({output, "Q4_K_M"}) == "out.gguf Q4_K_M");
    CHECK(output_of({output, "q4_k_m"}) == "out.gguf Q4_K_M");
    CHECK(output_of({output, "15"}) == "out.gguf Q4_K_M");
    CHECK(output_of({output, "15", "2"}) == "out.gguf Q4_K_M");
    CHECK(output_of({output, "Q4_K"}) == "out.gguf Q4_K_M");
    CHECK(output_of({"Q8_0"}) == "m-Q8_0.gguf Q8_0");
    CHECK(output_of({"7"}) == "m-Q8_0.gguf Q8_0");
    CHECK(output_of({"Q8_0", "3"}) == "m-Q8_0.gguf Q8_0");
    CHECK(output_of({"./Q8_0", "Q4_0"}) == "Q8_0 Q4_0");  // an output that is called so
    CHECK(output_of({"--allow-requantize", "Q8_0"}) == "m-Q8_0.gguf Q8_0");
    CHECK(output_of({"--max-buffer-size", "2048", "Q8_0"}) == "m-Q8_0.gguf Q8_0");
    CHECK(names_in(folder.path()) == Names{"m-f16.gguf"});
}

TEST_CASE("the name of the output takes the type's place in that of the input") {
    const TemporaryFolder folder;
    const std::pair<std::string, std::string> names[] = {
        {"m-Q8_0.gguf", "m-Q4_K_M.gguf"},
        {"m-Q4_K_S.gguf", "m-Q4_K_M.gguf"},
        {"m.Q8_0.gguf", "m.Q4_K_M.gguf"},
        {"a-b_f16.gguf", "a-b_Q4_K_M.gguf"},
        {"m-bf16.gguf", "m-Q4_K_M.gguf"},
        {"plain.gguf", "plain-Q4_K_M.gguf"},
        {"m-Q8_0-00001-of-00001.gguf", "m-Q4_K_M.gguf"},
        {"q8_0-chat.gguf", "q8_0-chat-Q4_K_M.gguf"},
        {"no-suffix", "no-suffix-Q4_K_M.gguf"},
        {"m-7.gguf", "m-7-Q4_K_M.gguf"},
        {"m-1-of-2.gguf", "m-1-of-2-Q4_K_M.gguf"},
    };
    const SmallModel model = f16_model();
    for (const auto& [input, output] : names) {
        model.save(folder / input);
        const json::object plan = json_of(requant({folder / input, "Q4_K_M", "--dry-run", "--json"}));
        CHECK(text_of(plan.at("output")) == folder / output);
    }
}

TEST_CASE("misuse is told apart from failure") {
    const TemporaryFolder folder;
    const std::string input = folder / "m.gguf", output = folder / "out.gguf";
    small_llama().save(input);
    const std::vector<std::vector<std::string>> misuses = {
        {input},
        {"--dry-run"},
        {input, "Q4_K_X"},
        {input, output, "Q4_K_X"},
        {input, output, "999"},
        {input, output, "-1"},
        {input, output, "Q8_0", "0"},
        {input, output, "Q8_0", "many"},
        {input, output, "Q8_0", "2", "2"},
        {input, output, "Q8_0", "--threads", "0"},
        {input, output, "Q8_0", "--threads", "-2"},
        {input, output, "Q8_0", "--threads", "2x"},
        {input, output, "Q8_0", "--threads", "99999999999"},
        {input, output, "Q8_0", "--threads"},
        {input, output, "Q8_0", "--no-such-flag"},
        {input, output, "Q8_0", "--tensor-type", "ffn"},
        {input, output, "Q8_0", "--tensor-type", "=Q8_0"},
        {input, output, "Q8_0", "--tensor-type", "ffn=Q4_K_M"},
        {input, output, "Q8_0", "--tensor-type", "ffn=Q8_K"},
        {input, output, "Q8_0", "--tensor-type", "(=Q8_0"},
        {input, output, "Q8_0", "--color", "mauve"},
        {input, output, "Q8_0", "--effort", "much"},
        {input, output, "Q8_0", "--effort", ""},
        {input, output, "Q8_0", "--effort"},
    };
    for (const auto& arguments : misuses) {
        const CommandResult result = requant(arguments);
        CAPTURE(result.err);
        CHECK(result.exit_code == 2);
        CHECK(result.text() == "");
        CHECK(result.err.starts_with("gguf-requant: "));
        CHECK(result.err.ends_with("Try 'gguf-requant --help'.\n"));
    }
    CHECK(requant({folder / "missing.gguf", output, "Q8_0"}).exit_code == 1);
    write_file(folder / "garbage.gguf", std::vector<std::byte>(1000));
    CHECK(requant({folder / "garbage.gguf", output, "Q8_0"}).exit_code == 1);
    CHECK(requant({input, folder / "no/such/folder/out.gguf", "Q8_0"}).exit_code == 1);
    CHECK(names_in(folder.path()) == Names{"garbage.gguf", "m.gguf"});
}

TEST_CASE("--dry-run prints the plan and writes nothing, the size it gives is the real one") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf";
    f16_model().save(input);
    const CommandResult plan = requant({input, "Q4_K_M", "--dry-run"});
    CHECK(plan.exit_code == 0);
    std::string text = plan.text();
    text.erase(text.find(folder.path().string()), folder.path().string().size() + 1);
    CHECK("\n" + text == R"(
TENSOR                  SHAPE    TYPE         BYTES  REASON
token_embd.weight       256x10   F16 → Q6_K    2100  recipe: token_embd, which …
blk.0.attn_norm.weight  256      F32           1024  copied: one-dimensional
blk.0.attn_q.weight     256x256  F16 → Q4_K   36864  recipe: the default type
blk.0.attn_v.weight     256x64   F16 → Q4_K    9216  recipe: the default type
blk.0.ffn_down.weight   512x256  F16 → Q4_K   73728  recipe: the default type
blk.1.attn_norm.weight  256      F32           1024  copied: one-dimensional
blk.1.attn_q.weight     256x256  F16 → Q4_K   36864  recipe: the default type
blk.1.attn_v.weight     256x64   F16 → Q6_K   13440  recipe: attn_v, a layer wi…
blk.1.ffn_down.weight   512x256  F16 → Q6_K  107520  recipe: ffn_down, a layer …

  F16 → Q4_K    4 tensors  544.0 KiB  →  153.0 KiB
  F16 → Q6_K    3 tensors  293.0 KiB  →  120.2 KiB
  F32 (copied)  2 tensors   2.00 KiB  →   2.00 KiB

m-Q4_K_M.gguf: 276.6 KiB (283,232 bytes), 5.25 bits a weight; nothing was written
)");
    const json::object planned = json_of(requant({input, "Q4_K_M", "--dry-run", "--json"}));
    CHECK(planned.at("seconds").is_null());
    CHECK(planned.at("problem").is_null());
    CHECK(names_in(folder.path()) == Names{"m-f16.gguf"});

    const CommandResult done = requant({input, "Q4_K_M", "--json"});
    CHECK(done.exit_code == 0);
    json::object report = json_of(done);
    CHECK(report.at("seconds").as_double() > 0);
    report.at("seconds") = nullptr;
    CHECK(report == planned);
    const std::string output = folder / "m-Q4_K_M.gguf";
    CHECK(planned.at("bytes_out").to_number<std::uint64_t>() == fs::file_size(output));

    const auto model = Model::open(output);
    REQUIRE(model);
    REQUIRE(model->tensors().size() == planned.at("tensors").as_array().size());
    for (std::size_t i = 0; i < model->tensors().size(); ++i) {
        const json::object& tensor = planned.at("tensors").at(i).as_object();
        const TensorInfo& info = *model->tensors()[i].info;
        CHECK(text_of(tensor.at("name")) == info.name);
        CHECK(text_of(tensor.at("to")) == info.format->name);
        CHECK(json::value_to<std::vector<std::uint64_t>>(tensor.at("shape")) ==
              std::vector(info.shape().begin(), info.shape().end()));
        CHECK(tensor.at("bytes_out").to_number<std::uint64_t>() == *info.bytes());
        CHECK(tensor.at("offset").to_number<std::uint64_t>() == model->header().data_offset() + info.offset);
        CHECK_FALSE(tensor.at("reason").as_string().empty());
    }
}

TEST_CASE("a plan that cannot be carried out is shown, with its problem") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf";
    f16_model().save(input);
    const CommandResult plan = requant({input, "IQ1_S", "--dry-run", "--json"});  // needs an imatrix
    CHECK(plan.exit_code == 1);
    CHECK(json_of(plan).at("problem").at("code") == "UNSUPPORTED");
    CHECK(plan.err.find("IQ1_S") != plan.err.npos);
    const CommandResult text = requant({input, "IQ1_S", "--dry-run"});
    CHECK(text.exit_code == 1);
    CHECK(text.text().find("F16 → IQ1_S") != std::string::npos);
    const CommandResult work = requant({input, "IQ1_S"});
    CHECK(work.exit_code == 1);
    CHECK(work.text() == "");
    CHECK(names_in(folder.path()) == Names{"m-f16.gguf"});
}

TEST_CASE("the work, its summary, and its bytes whatever the number of threads") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf";
    f16_model().save(input);
    const CommandResult result = requant({input, "Q8_0"});
    CHECK(result.exit_code == 0);
    CHECK(result.err == "");  // no progress bar in a pipe
    const std::string text = result.text();
    CHECK(text.starts_with(folder / "m-Q8_0.gguf: "));
    CHECK(text.find("  F16 → Q8_0") != text.npos);
    CHECK(text.find("  F32 (copied)") != text.npos);
    CHECK(text.find(" in 0.") != text.npos);
    for (const char* threads : {"1", "2", "5"}) {
        CHECK(requant({input, folder / "again.gguf", "Q8_0", "--threads", threads, "--force"}).exit_code == 0);
        CHECK(read_text(folder / "again.gguf") == read_text(folder / "m-Q8_0.gguf"));
    }
}

TEST_CASE("--tensor-type and --pure reach the plan") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf";
    f16_model().save(input);
    const auto types = [&](std::vector<std::string> flags) {
        // A flag takes one argument, not the ones that follow.
        for (const char* argument : {input.c_str(), "Q4_K_M", "--dry-run", "--json"}) flags.emplace_back(argument);
        std::map<std::string, std::string> types;
        const json::object plan = json_of(requant(flags));
        for (const auto& tensor : plan.at("tensors").as_array()) {
            types[text_of(tensor.at("name"))] = text_of(tensor.at("to"));
        }
        return types;
    };
    CHECK(types({})["token_embd.weight"] == "Q6_K");
    CHECK(types({"--pure"})["token_embd.weight"] == "Q4_K");
    auto chosen = types({"--tensor-type", "[ab]ttn_v=q8_0", "--tensor-type=blk\\.1\\.=Q5_K"});
    CHECK(chosen["blk.0.attn_v.weight"] == "Q8_0");
    CHECK(chosen["blk.1.attn_v.weight"] == "Q8_0");  // the first match wins
    CHECK(chosen["blk.1.attn_q.weight"] == "Q5_K");
    CHECK(chosen["blk.0.attn_q.weight"] == "Q4_K");
}

TEST_CASE("the same bytes from every instruction set, for any number of threads, of every type that can be made") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf";
    SmallModel model;
    model.set("general.architecture", "llama");
    std::vector<std::string> arguments{input, "", "Q4_K_M", "--force"};
    for (const FormatInfo& format : formats()) {
        if (!format.usable() || !can_quantize(format.type())) continue;
        const std::string block = "blk." + std::to_string(format.id) + ".";
        model.tensor(block + "ffn_up.weight", TensorType::F16, {512, 150});
        arguments.push_back("--tensor-type=" + block + "=" + std::string(format.name));
    }
    model.save(input);
    std::string first;
    for (const std::string_view simd : quant::simd_targets()) {
        for (const char* threads : {"1", "3"}) {
            CAPTURE(simd);
            arguments[1] = folder / "out.gguf";
            auto with_threads = arguments;
            with_threads.insert(with_threads.end(), {"--threads", threads});
            const CommandResult result =
                run_tool("gguf-requant", with_threads, 80, {"GGUFKIT_SIMD=" + std::string(simd)});
            REQUIRE_MESSAGE(result.exit_code == 0, result.err);
            const std::string written = read_text(folder / "out.gguf");
            if (first.empty()) first = written;
            CHECK((written == first));
        }
    }
}

TEST_CASE("--effort changes the bytes, not the types, the default has a name") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf";
    f16_model().save(input);
    const auto made = [&](std::vector<std::string> flags) {
        for (const char* argument : {input.c_str(), "out.gguf", "Q4_K_M", "--json", "--force"}) {
            flags.emplace_back(argument == std::string_view("out.gguf") ? folder / "out.gguf" : argument);
        }
        const CommandResult result = requant(flags);
        REQUIRE_MESSAGE(result.exit_code == 0, result.err);
        json::object report = json_of(result);
        report.erase("seconds");
        const std::string effort = text_of(report.at("effort"));
        report.erase("effort");
        return std::tuple(effort, read_text(folder / "out.gguf"), report);
    };
    const auto [usual, usual_bytes, usual_report] = made({});
    CHECK(usual == "default");
    CHECK((std::get<1>(made({"--effort", "default"})) == usual_bytes));
    for (const char* other : {"fast", "max"}) {
        const auto [effort, bytes, report] = made({"--effort", other});
        CHECK(effort == other);
        CHECK((bytes != usual_bytes));
        CHECK(bytes.size() == usual_bytes.size());
        CHECK(report == usual_report);
    }
}

TEST_CASE(
    "--imatrix: both forms make the same tensors, other ones than without, and the output says where it is from") {
    const TemporaryFolder folder;
    const std::string input = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf",
                      fixture = GGUFKIT_TEST_DATA "/tiny-llama.imatrix";
    const auto made = [&](const std::string& name, std::vector<std::string> flags) {
        for (const std::string& argument : {input, folder / name, std::string("Q4_K_M"), std::string("--json")}) {
            flags.push_back(argument);
        }
        const CommandResult result = requant(flags);
        REQUIRE_MESSAGE(result.exit_code == 0, result.err);
        const bool weighed = flags[0] == "--imatrix";
        CHECK(result.err == (weighed ? "gguf-requant: note: made without importance, no entry in the imatrix: "
                                       "output.weight, token_embd.weight\n"
                                     : ""));
        return json_of(result);
    };
    const json::object gguf = made("gguf.gguf", {"--imatrix", fixture + ".gguf"});
    made("old.gguf", {"--imatrix", fixture + ".dat"});
    CHECK(made("plain.gguf", {"--color=never"}).at("imatrix").is_null());
    CHECK(gguf.at("imatrix") ==
          json::object{{"file", fixture + ".gguf"}, {"dataset", "calibration.txt"}, {"entries", 42}, {"chunks", 351}});
    CHECK(gguf.at("imatrix_gaps").as_array().size() == 2);
    CHECK(gguf.at("imatrix_gaps").at(0) ==
          json::object{{"tensor", "output.weight"}, {"fatal", false}, {"detail", "no entry in the imatrix"}});
    const json::object forms = json_of(run_tool("gguf-diff", {folder / "gguf.gguf", folder / "old.gguf", "--json"}));
    CHECK(forms.at("tensors").as_array().empty());
    CHECK(forms.at("metadata").as_array().size() == 1);
    CHECK(forms.at("metadata").at(0).at("key") == "quantize.imatrix.file");
    const json::object plain = json_of(run_tool("gguf-diff", {folder / "gguf.gguf", folder / "plain.gguf", "--json"}));
    CHECK(plain.at("tensors").as_array().size() == 42);
}

TEST_CASE(
    "a type that needs an imatrix is refused without one, unless asked to warn, so is an imatrix that does not fit") {
    const TemporaryFolder folder;
    const std::string input = GGUFKIT_TEST_DATA "/tiny-llama-Q8_0.gguf", output = folder / "out.gguf";
    const auto run = [&](std::vector<std::string> flags) {
        flags.insert(flags.end(), {input, output, "Q2_K_S", "--force"});
        return requant(flags);
    };
    const CommandResult without = run({});
    CHECK(without.exit_code == 1);
    CHECK(without.err ==
          "gguf-requant: 42 tensors need an imatrix (Q2_K in the file type Q2_K_S), and there is no --imatrix: "
          "blk.0.attn_k.weight, blk.0.attn_output.weight, blk.0.attn_q.weight, blk.0.attn_v.weight and 38 more; "
          "--imatrix-missing warn makes them without, --tensor-type gives them other types\n");
    CHECK(names_in(folder.path()).empty());
    const CommandResult warned = run({"--imatrix-missing", "warn"});
    CHECK(warned.exit_code == 0);
    CHECK(warned.err.starts_with("gguf-requant: note: made without importance, Q2_K needs an imatrix"));
    CHECK(warned.err.ends_with(" and 38 more\n"));
    const std::string unweighed = read_text(output);
    CHECK(run({"--imatrix", GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf"}).exit_code == 0);
    CHECK((read_text(output) != unweighed));

    write_file(folder / "half", gguf_imatrix({{"blk.0.attn_k.weight", std::vector<float>(128, 1), {1}}}));
    const CommandResult half = run({"--imatrix", folder / "half"});
    CHECK(half.exit_code == 1);
    CHECK(half.err.find("1 tensor has an entry of another size in " + (folder / "half") +
                        " (128 weights in the imatrix, not 256): blk.0.attn_k.weight; ") != half.err.npos);
    CHECK(half.err.find("41 tensors have no entry in " + (folder / "half") +
                        ", and Q2_K needs one: blk.0.attn_output.weight, blk.0.attn_q.weight, ") != half.err.npos);
    CHECK(run({"--imatrix", folder / "half", "--imatrix-missing", "warn"}).exit_code == 0);
    CHECK(run({"--imatrix-missing", "ignore"}).exit_code == 2);
    for (const std::string& file : {folder / "no-such-file", input, std::string(GGUFKIT_SOURCE_DIR "/README.md")}) {
        const CommandResult bad = run({"--imatrix", file});
        CAPTURE(bad.err);
        CHECK(bad.exit_code == 1);
        CHECK(bad.err.starts_with("gguf-requant: " + file));
    }
}

TEST_CASE("an existing output is only replaced with --force, an input never") {
    const TemporaryFolder folder;
    const std::string input = folder / "m.gguf", output = folder / "out.gguf";
    small_llama().save(input);
    const std::string before = read_text(input);
    write_file(output, "mine");
    const CommandResult refused = requant({input, output, "Q8_0"});
    CHECK(refused.exit_code == 1);
    CHECK(refused.err.find("--force") != refused.err.npos);
    CHECK(read_text(output) == "mine");
    CHECK(requant({input, output, "Q8_0", "--force"}).exit_code == 0);
    CHECK(Model::open(output));
    CHECK(requant({input, input, "Q8_0", "--force"}).exit_code == 1);
    CHECK(read_text(input) == before);
    CHECK(names_in(folder.path()) == Names{"m.gguf", "out.gguf"});
}

TEST_CASE("where --force is of no help it is not recommended: another run is at work, a folder has the name") {
    const TemporaryFolder folder;
    const std::string input = small_llama().save(folder / "m.gguf"), output = folder / "out.gguf";
    fs::create_directories(folder / "folder/m-Q8_0.gguf");
    const io::FileHandle other(::open((output + ".ggufkit-partial").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::flock(other.get(), LOCK_EX) == 0);
    for (const Names& force : {Names{}, {"--force"}}) {
        const auto refusal = [&](const std::string& name) {
            Names words{input, name, "Q8_0"};
            words.insert(words.end(), force.begin(), force.end());
            const CommandResult result = requant(words);
            CHECK(result.exit_code == 1);
            return result.err;
        };
        CHECK(refusal(output) == "gguf-requant: " + output + ": another run is at work on it\n");
        CHECK(refusal(folder / "folder") == "gguf-requant: " + folder / "folder/m-Q8_0.gguf" +
                                                ": is a folder; only a regular file can be replaced\n");
    }
}

namespace {

// How a run ends that gets a signal as soon as `ready`; what it says goes to the file "messages".
int interrupt(std::vector<std::string> arguments, const TemporaryFolder& folder, int signal,
              const std::function<bool()>& ready) {
    arguments.insert(arguments.begin(), program("gguf-requant"));
    std::vector<char*> argv;
    for (auto& argument : arguments) argv.push_back(argument.data());
    argv.push_back(nullptr);
    pid_t child = 0;
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, (folder / "messages").c_str(),
                                     O_WRONLY | O_CREAT | O_TRUNC, 0600);
    REQUIRE(::posix_spawn(&child, argv[0], &actions, nullptr, argv.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    while (!ready()) std::this_thread::sleep_for(std::chrono::microseconds(100));
    ::kill(child, signal);
    int status = 0;
    ::waitpid(child, &status, 0);
    return status;
}

}  // namespace

TEST_CASE("cancelled work leaves nothing behind and exits with 130") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf";
    HeaderModel slow("llama");  // zeros that take a while to convert
    for (int i = 0; i < 16; ++i) slow.matrix(fmt::format("blk.{}.ffn_up.weight", i), {4096, 4096});
    slow.save(input);
    for (const int signal : {SIGINT, SIGTERM}) {
        // It has begun as soon as there is a third file.
        const int status =
            interrupt({input, "Q4_K_M"}, folder, signal, [&] { return names_in(folder.path()).size() >= 3; });
        CHECK(WIFEXITED(status));
        CHECK(WEXITSTATUS(status) == 130);
        CHECK(read_text(folder / "messages") == "gguf-requant: cancelled, nothing was written\n");
        CHECK(names_in(folder.path()) == Names{"m-f16.gguf", "messages"});
    }
}

TEST_CASE("--resume: what a run left that was interrupted is gone on with, to the same bytes") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf", output = folder / "out.gguf";
    SmallModel model;
    for (const char* name : {"blk.0.ffn_up.weight", "blk.1.ffn_up.weight", "blk.2.ffn_up.weight"}) {
        model.tensor(name, TensorType::F16, {1024, 4096});
    }
    model.save(input);
    std::vector<std::string> types{"IQ4_XS"};
    const auto with_types = [&](std::vector<std::string> words) {
        words.insert(words.end(), types.begin(), types.end());
        return words;
    };
    std::vector<std::string> arguments{input, output, "--threads", "1", "--checkpoint", "0.001"};
    const auto has_come_some_way = [&] { return fs::exists(output + ".ggufkit-journal") || fs::exists(output); };
    // Once more where it was done before the signal came.
    const auto interrupted = [&](int signal) {
        int status = 0;
        for (int times = 0; times < 20 && (times == 0 || fs::exists(output)); ++times) {
            fs::remove(output);
            status = interrupt(arguments, folder, signal, has_come_some_way);
        }
        return status;
    };
    SUBCASE("killed") {
        SUBCASE("of a file type") {}
        SUBCASE("of types that a target chose, and chooses again") { types = {"--target-bpw", "5.1"}; }
        arguments = with_types(arguments);
        CHECK(WIFSIGNALED(interrupted(SIGKILL)));
    }
    SUBCASE("stopped, to be resumed") {
        arguments = with_types(arguments);
        arguments.push_back("--resume");
        CHECK(WEXITSTATUS(interrupted(SIGINT)) == 130);
        CHECK(read_text(folder / "messages") == "gguf-requant: cancelled; --resume goes on from here\n");
    }
    CHECK_FALSE(fs::exists(output));
    const CommandResult resumed = requant(with_types({input, output, "--resume"}));
    CHECK(resumed.exit_code == 0);
    CHECK(resumed.err.starts_with("gguf-requant: note: going on after "));
    REQUIRE(requant(with_types({input, folder / "whole.gguf"})).exit_code == 0);
    CHECK(read_text(output) == read_text(folder / "whole.gguf"));
    CHECK(names_in(folder.path()) == Names{"m-f16.gguf", "messages", "out.gguf", "whole.gguf"});
}

TEST_CASE("--resume: a finished output that was changed since is named, --force makes it again") {
    const TemporaryFolder folder;
    const std::string a = folder / "a.gguf", b = folder / "b.gguf";
    const Names words{GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf", "Q4_K_M:" + a, "Q6_K:" + b, "--resume"};
    const auto run = [&](Names more) {
        more.insert(more.begin(), words.begin(), words.end());
        return requant(more);
    };
    // While the run is at work, its second name is taken.
    const int status = interrupt(words, folder, 0, [&] {
        const bool begun = fs::exists(b + ".ggufkit-partial");
        if (begun) write_file(b, "mine");
        return begun || fs::exists(b);
    });
    REQUIRE(WEXITSTATUS(status) == 1);
    const std::string sound = read_text(a);
    fs::remove(b);
    std::fstream(a, std::ios::binary | std::ios::in | std::ios::out)
        .seekp(static_cast<std::streamoff>(sound.size()) - 1)
        .put('\x7f');
    const CommandResult refused = run({});
    CHECK(refused.exit_code == 1);
    CHECK(refused.err == "gguf-requant: " + a +
                             ": exists already, and what the run before left was changed since: all would be made "
                             "again; --force replaces a finished file\n");
    CHECK(run({"--force"}).exit_code == 0);
    CHECK((read_text(a) == sound));
    CHECK(names_in(folder.path()) == Names{"a.gguf", "b.gguf", "messages"});
}

TEST_CASE("several outputs from one command, each as from its own") {
    const TemporaryFolder folder;
    const std::string input = folder / "m-f16.gguf", a = folder / "a.gguf", b = folder / "b.gguf";
    f16_model().save(input);
    const CommandResult both = requant({input, "q8_0:" + a, "15:" + b, "2"});
    CHECK(both.exit_code == 0);
    CHECK(both.text().find(a + ": ") != std::string::npos);
    CHECK(both.text().find(b + ": ") != std::string::npos);
    for (const auto& [file, type] : {std::pair(a, "Q8_0"), std::pair(b, "Q4_K_M")}) {
        REQUIRE(requant({input, folder / "alone.gguf", type, "--force"}).exit_code == 0);
        CHECK(read_text(file) == read_text(folder / "alone.gguf"));
    }
    for (const std::vector<std::string>& bad : {std::vector{input, "Q8_0:" + a, "nonsense:" + b},
                                                {input, "Q8_0:" + a, b},
                                                {input, "Q8_0:"},
                                                {input, "Q8_0:" + a, "0"}}) {
        CHECK(requant(bad).exit_code == 2);
    }
    const CommandResult twice = requant({input, "Q8_0:" + folder / "c.gguf", "Q6_K:" + folder / "c.gguf"});
    CHECK(twice.exit_code == 2);
    CHECK(twice.err.find("c.gguf would be written twice") != std::string::npos);
    CHECK(names_in(folder.path()) == Names{"a.gguf", "alone.gguf", "b.gguf", "m-f16.gguf"});
}

TEST_CASE("--list-types names every file type") {
    const CommandResult result = requant({"--list-types"}, 0);
    CHECK(result.exit_code == 0);
    for (const FileType& type : file_types()) {
        CHECK(result.text().find("\n" + std::string(type.name) + " ") != std::string::npos);
    }
}
