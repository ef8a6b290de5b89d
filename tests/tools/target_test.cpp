// Size targets and recipes of gguf-requant, as a user gives them.
#include <doctest/doctest.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <ggufkit/model.hpp>
#include <ggufkit/requant/plan.hpp>
#include <map>
#include <set>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

using Words = std::vector<std::string>;

const std::string tiny = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string matrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

// A folder with the trained model in it, under a name that says its type.
struct Place {
    TemporaryFolder folder;
    std::string input = folder / "m-f16.gguf";

    Place() { fs::create_symlink(tiny, input); }
    std::string operator/(const std::string& name) const { return folder / name; }
    std::set<std::string> made() const {
        std::set<std::string> names;
        for (const auto& entry : fs::directory_iterator(folder.path())) names.insert(entry.path().filename());
        names.erase("m-f16.gguf");
        return names;
    }
};
using Names = std::set<std::string>;

CommandResult requant(Words words, const Words& flags = {}) {
    words.insert(words.end(), flags.begin(), flags.end());
    return run_tool("gguf-requant", std::move(words));
}

void do_requant(const Words& words, const Words& flags = {}) {
    const CommandResult result = requant(words, flags);
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
}

json::object plan_of(Words words, const Words& flags = {}) {
    words.insert(words.end(), {"--dry-run", "--json"});
    const CommandResult result = requant(std::move(words), flags);
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    return json_of(result);
}

std::map<std::string, std::string> types_of(const json::object& plan) {
    std::map<std::string, std::string> types;
    for (const auto& tensor : plan.at("tensors").as_array()) {
        types[text_of(tensor.at("name"))] = text_of(tensor.at("to"));
    }
    return types;
}

std::uint64_t bytes_of(const json::object& plan) { return plan.at("bytes_out").to_number<std::uint64_t>(); }

void check_misuse(const Words& words, std::string_view says) {
    const CommandResult result = requant(words);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.err.find(says) != result.err.npos);
    CHECK(result.err.ends_with("gguf-requant --help'.\n"));
}

std::string file_type_in(const fs::path& file) {
    const auto model = Model::open(file);
    REQUIRE(model);
    return std::string(
        find_file_type(static_cast<std::uint32_t>(*model->header().get_unsigned("general.file_type")))->name);
}

}  // namespace

TEST_CASE("--target-size: the file has at most that many bytes, nearly all of them, and a name that says so") {
    const Place place;
    const CommandResult result = requant({place.input, "--target-size", "2.5MiB", "--imatrix", matrix});
    CHECK(result.exit_code == 0);
    CHECK(result.text().find("target of 2,621,440 bytes: expected loss 0.00") != std::string::npos);
    CHECK(place.made() == Names{"m-2.5MiB.gguf"});
    const auto size = fs::file_size(place / "m-2.5MiB.gguf");
    CHECK(size <= 2'621'440);
    CHECK(size > 2'600'000);
    // Whatever the number of threads.
    do_requant({place.input, place / "b.gguf", "1"}, {"--target-size", "2621440", "--imatrix", matrix});
    CHECK(read_text(place / "b.gguf") == read_text(place / "m-2.5MiB.gguf"));

    const json::object plan = plan_of({place.input, "--target-size", "3M"});
    CHECK(text_of(plan.at("output")) == place / "m-3M.gguf");
    CHECK(plan.at("target").at("bytes").to_number<int>() == 3'000'000);
    const double loss = plan.at("target").at("loss").as_double(), bound = plan.at("target").at("bound").as_double();
    CHECK(loss >= bound);
    CHECK(loss < bound * 1.05);
    CHECK(bytes_of(plan) <= 3'000'000);
    CHECK(plan_of({place.input, "Q4_K_M"}).at("target").is_null());
}

TEST_CASE("--target-bpw: tensor data takes at most that many bits a weight") {
    const Place place;
    const json::object plan = plan_of({place.input, "--target-bpw", "4.5"});
    CHECK(text_of(plan.at("output")) == place / "m-4.5bpw.gguf");
    CHECK(plan.at("bpw").as_double() <= 4.5);
    CHECK(plan.at("bpw").as_double() > 4.45);
}

TEST_CASE("--target-device: the file, its cache and the buffers fit together") {
    const Place place;
    const auto target_of = [&](const Words& flags) {
        const json::object plan = plan_of({place.input, "--target-device", "12MiB"}, flags);
        const json::object target = plan.at("target").as_object(), device = target.at("device").as_object();
        const auto number = [&](const json::object& of, const char* key) {
            return of.at(key).to_number<std::uint64_t>();
        };
        CHECK(number(device, "bytes") == 12u << 20);
        CHECK(number(target, "bytes") + number(device, "cache") + number(device, "compute") == 12u << 20);
        CHECK(bytes_of(plan) <= number(target, "bytes"));
        return std::pair(device, text_of(plan.at("output")));
    };
    const auto [small, name] = target_of({"--ctx", "512"});
    CHECK(name == place / "m-12MiB-ctx512.gguf");
    CHECK(small.at("context").to_number<int>() == 512);
    // Keys and values of 6 layers, 512 tokens and 128 columns in F16.
    CHECK(small.at("cache").to_number<int>() == 2 * 6 * 512 * 128 * 2);
    const auto [trained, other] = target_of({});
    CHECK(other == place / "m-12MiB-device.gguf");
    CHECK(trained.at("context").to_number<int>() == 256);
    CHECK(requant({place.input, "--target-device", "12MiB", "--ctx", "512", "--dry-run"})
              .text()
              .find("device of 12.0 MiB: 1.50 MiB of cache for 512 tokens of context, ") != std::string::npos);

    const CommandResult full = requant({place.input, "--target-device", "1MiB", "--ctx", "512"});
    CHECK(full.exit_code == 1);
    CHECK(full.err.starts_with(
        "gguf-requant: --target-device 1MiB: is too small: for 512 tokens of context, cache and buffers "
        "alone take "));
    check_misuse({place.input, "--ctx", "512", "--target-size", "3M"}, "--ctx requires --target-device");
    check_misuse({place.input, "--target-device", "3M", "--target-size", "3M"}, "excludes");
    check_misuse({place.input, "--target-device", "3M", "--target-bpw", "3"}, "excludes");
    SmallModel nameless;
    nameless.tensor("blk.0.ffn_up.weight", TensorType::F16, {256, 256});
    nameless.save(place / "n.gguf");
    CHECK(requant({place / "n.gguf", "--target-device", "1G"}).exit_code == 1);
}

TEST_CASE("a target: what the positional arguments can be") {
    const Place place;
    const Words target{"--target-size", "3M"};
    const auto output_of = [&](Words words) { return text_of(plan_of(std::move(words), target).at("output")); };
    CHECK(output_of({place.input, "2"}) == place / "m-3M.gguf");  // threads
    CHECK(output_of({place.input, place / "o.gguf"}) == place / "o.gguf");
    CHECK(output_of({place.input, place / "o.gguf", "1"}) == place / "o.gguf");
    CHECK(output_of({place.input, "Q4_K_S", "1"}) == place / "m-Q4_K_S.gguf");
    CHECK(output_of({place.input, place / "o.gguf", "Q4_K_S"}) == place / "o.gguf");
    CHECK(output_of({place.input, "Q4_K_S:" + place / "o.gguf"}) == place / "o.gguf");
    check_misuse({place.input, place / "o.gguf", "nonsense", "--target-size", "3M"},
                 "'nonsense' is no number of threads");
    check_misuse({"-", "--target-size", "3M"}, "OUTPUT is missing");

    // TYPE is what the file says that it is, else the type of the nearest size.
    do_requant({place.input, place / "named.gguf", "Q2_K"}, target);
    do_requant({place.input, place / "nearest.gguf"}, target);
    CHECK(file_type_in(place / "named.gguf") == "Q2_K");
    CHECK(file_type_in(place / "nearest.gguf") == "Q4_0");
}

TEST_CASE("a target: what it cannot be") {
    const Place place;
    check_misuse({place.input, "COPY", "--target-size", "3M"}, "COPY keeps every tensor as it is");
    check_misuse({place.input, "--pure", "--target-size", "3M"}, "--pure has one type for all");
    check_misuse({place.input, "Q8_0:" + place / "a.gguf", "Q4_0:" + place / "b.gguf", "--target-size", "3M"},
                 "a target is for one output");
    check_misuse({place.input, "--target-size", "3M", "--target-bpw", "4"}, "excludes");
    check_misuse({place.input, "--target-size", "3X"}, "'3X' is no size such as 4G");
    for (const char* bits : {"0", "-1", "four", "nan", "inf", "4.5x"}) {
        check_misuse({place.input, fmt::format("--target-bpw={}", bits)}, "is no number of bits such as 4.5");
    }
    const CommandResult small = requant({place.input, "--target-size", "100K"});
    CHECK(small.exit_code == 1);
    CHECK(small.err ==
          "gguf-requant: --target-size 100K: is too small: the smallest that can be made of this model has 1473248 "
          "bytes; with --imatrix there are smaller types\n");
    CHECK(plan_of({place.input, "--target-size", "1473248"}).at("bytes_out").to_number<int>() == 1473248);
    CHECK(requant({place.input, "--target-size", "1473247"}).exit_code == 1);
    CHECK(place.made().empty());
    const CommandResult roomy = requant({place.input, "--target-size", "1G"});
    CHECK(roomy.exit_code == 0);
    CHECK(roomy.err.find("note: the target leaves room for every tensor as it is") != std::string::npos);
    CHECK(roomy.text().find("target of 1,000,000,000 bytes: nothing is lost") != std::string::npos);
    CHECK(fs::file_size(place / "m-1G.gguf") >= fs::file_size(tiny));
}

TEST_CASE("a target: what stands in the way of the output is said before anything is measured") {
    const Place place;
    const std::string there = place / "there.gguf";
    write_file(there, "mine");
    const std::string exists =
        fmt::format("gguf-requant: {}: exists already; --force replaces a finished file\n", there);
    CHECK(requant({place.input, there, "--target-bpw", "0.1"}).err == exists);  // no types are that small
    CHECK(requant({"-", there, "Q4_K_M"}).err == exists);                       // an empty standard input
    CHECK(requant({place.input, there, "--target-bpw", "5", "--dry-run"}).exit_code == 0);
    CHECK(requant({place.input, there, "Q8_0", "--split-max-tensors", "3", "--dry-run"}).exit_code == 0);
    CHECK(requant({place.input, there, "Q8_0", "--split-max-tensors", "3"}).exit_code == 0);
    CHECK(read_text(there) == "mine");
}

TEST_CASE("a target: types that the user gives stand, and count") {
    const Place place;
    const auto types = [&](const Words& flags) {
        const json::object plan = plan_of({place.input, "--target-size", "3M"}, flags);
        CHECK(bytes_of(plan) <= 3'000'000);
        CHECK(bytes_of(plan) > 2'970'000);
        return types_of(plan);
    };
    auto given =
        types({"--tensor-type", "attn_v=F16", "--output-tensor-type", "Q4_0", "--token-embedding-type", "Q8_0"});
    CHECK(given["blk.3.attn_v.weight"] == "F16");
    CHECK(given["output.weight"] == "Q4_0");
    CHECK(given["token_embd.weight"] == "Q8_0");
    CHECK(types({"--leave-output-tensor"})["output.weight"] == "F16");
}

TEST_CASE("a target: headers of all shards, provenance and pruned layers are counted") {
    const Place place;
    const auto total_of = [](const json::object& plan) {
        std::uint64_t total = 0;
        for (const auto& file : plan.at("files").as_array()) total += file.at("bytes").to_number<std::uint64_t>();
        return total;
    };
    for (const Words& flags : {Words{"--split-max-size", "300K"}, {"--split-max-tensors", "5"}, {"--provenance"}}) {
        CAPTURE(flags.front());
        const json::object plan = plan_of({place.input, "--target-size", "3M"}, flags);
        CHECK(total_of(plan) <= 3'000'000);
        CHECK(total_of(plan) > 2'970'000);
    }
    do_requant({place.input, place / "p.gguf", "--target-size", "3M", "--provenance"});
    CHECK(fs::file_size(place / "p.gguf") <= 3'000'000);
    // Below what one file can have the shards cannot be; that is said with their headers.
    const CommandResult small = requant({place.input, "--target-size", "1473248", "--split-max-tensors", "5"});
    CHECK(small.exit_code == 1);
    CHECK(small.err.find("the smallest that can be made of this model has 1474656 bytes") != std::string::npos);

    // The imatrix is of the source's names: the second layer of six adds little to the stream, whatever its number.
    const json::object pruned =
        plan_of({place.input, "--target-bpw", "3"}, {"--prune-layers", "0", "--imatrix", matrix});
    CHECK(pruned.at("bpw").as_double() <= 3);
    CHECK(pruned.at("bpw").as_double() > 2.9);
    CHECK(pruned.at("imatrix_gaps").as_array().size() == 2);  // embeddings and output

    SmallModel model;
    model.set("general.architecture", "llama").set("llama.block_count", 2u);
    for (const char* name : {"blk.0.ffn_up.weight", "blk.1.ffn_up.weight"}) {
        model.tensor(name, TensorType::F16, {256, 256});
    }
    const std::string split = model.save_split(place / "s", 2);
    const json::object kept = plan_of({split, "--target-bpw", "5"}, {"--keep-split"});
    CHECK(kept.at("files").as_array().size() == 2);
    CHECK(kept.at("bpw").as_double() <= 5);
}

TEST_CASE("--save-recipe and --recipe: what was chosen can be kept, changed and given back") {
    const Place place;
    const std::string recipe = place / "m.recipe";
    do_requant({place.input, place / "a.gguf", "--target-size", "3M", "--save-recipe", recipe});
    do_requant({place.input, "--recipe", recipe});
    CHECK(read_text(place / "m-m.gguf") == read_text(place / "a.gguf"));
    CHECK(read_text(recipe).find("\n^blk\\.0\\.attn_k\\.weight$=") != std::string::npos);
    CHECK(read_text(recipe).starts_with(fmt::format("# {} bytes, ", fs::file_size(place / "a.gguf"))));

    // Rows go behind those of the command line; TYPE before file_type.
    const Words words{place.input, place / "b.gguf", "--recipe", recipe};
    CHECK(types_of(plan_of(words, {"--tensor-type", "attn_v=Q8_0"}))["blk.1.attn_v.weight"] == "Q8_0");
    CHECK(text_of(plan_of(words).at("file_type")) == "Q4_0");
    CHECK(text_of(plan_of({place.input, "Q6_K", "--recipe", recipe}).at("file_type")) == "Q6_K");

    // The reason of a row is where it stands.
    write_file(recipe, "# mine\nfile_type = Q4_0\nattn_v=Q8_0\n");
    CHECK(requant(words, {"--dry-run"}).text().find("F16 → Q8_0   34816  m.recipe, line 3\n") != std::string::npos);

    // With a target only what no row matches is chosen.
    write_file(recipe, "attn_=Q8_0\n");
    const json::object both = plan_of({place.input, "--recipe", recipe, "--target-size", "4M"});
    CHECK(bytes_of(both) <= 4'000'000);
    CHECK(bytes_of(both) > 3'960'000);
    CHECK(types_of(both)["blk.2.attn_q.weight"] == "Q8_0");

    check_misuse({place.input, "--recipe", recipe}, fmt::format("TYPE is missing, and {} has no file_type", recipe));
    check_misuse({place.input, "COPY", "--recipe", recipe}, "COPY keeps every tensor as it is: --recipe");
    write_file(recipe, "attn_=Q8_0\nx\n");
    check_misuse({place.input, "Q4_0", "--recipe", recipe}, recipe + ", line 2: 'x' is not REGEX=TYPE");
    const CommandResult missing = requant({place.input, "--recipe", place / "none"});
    CHECK(missing.exit_code == 1);
    CHECK(missing.err.starts_with("gguf-requant: " + place / "none: "));
}

TEST_CASE("--recipe: one for several outputs, of which each has its TYPE for the rest") {
    const Place place;
    write_file(place / "r", "file_type = F16\nattn_v=Q8_0\n");
    const CommandResult result = requant({place.input, "Q4_0:" + place / "a.gguf", "Q6_K:" + place / "b.gguf",
                                          "--recipe", place / "r", "--dry-run", "--json"});
    REQUIRE(result.exit_code == 0);
    const std::string text = result.text();
    json::stream_parser parser;
    const std::size_t first = parser.write_some(text);
    auto a = types_of(parser.release().as_object());
    auto b = types_of(json::parse(text.substr(first)).as_object());
    CHECK(a["blk.1.attn_v.weight"] == "Q8_0");
    CHECK(b["blk.1.attn_v.weight"] == "Q8_0");
    CHECK(a["blk.1.attn_q.weight"] == "Q4_0");
    CHECK(b["blk.1.attn_q.weight"] == "Q6_K");
}

TEST_CASE("--save-recipe: of any plan, to a file or to standard output") {
    const Place place;
    const std::string recipe = place / "r";
    const Words words{place.input, "Q4_K_M", "--dry-run", "--tensor-type", "ffn_up=Q3_K", "--leave-output-tensor"};
    const CommandResult shown = requant(words, {"--save-recipe", "-"});
    CHECK(shown.exit_code == 0);
    CHECK(shown.text().find("\nfile_type = Q4_K_M\n") != std::string::npos);
    CHECK(shown.text().find("\n^output\\.weight$=F16  # copied: --leave-output-tensor\n") != std::string::npos);
    CHECK(shown.text().find("\n^blk\\.2\\.ffn_up\\.weight$=Q3_K  # --tensor-type ffn_up\n") != std::string::npos);
    CHECK(shown.text().find("norm") == std::string::npos);
    CHECK(requant(words, {"--save-recipe", recipe}).text().ends_with("nothing was written\n"));
    CHECK(read_text(recipe) == shown.text());
    CHECK(place.made() == Names{"r"});
    CHECK(types_of(plan_of({place.input, "--recipe", recipe})) == types_of(plan_of({words.begin(), words.end()})));

    const CommandResult again = requant(words, {"--save-recipe", recipe});
    CHECK(again.exit_code == 1);
    CHECK(again.err == fmt::format("gguf-requant: {}: exists already; --force replaces a finished file\n", recipe));
    CHECK(requant(words, {"--save-recipe", recipe, "--force"}).exit_code == 0);
    CHECK(requant({place.input, "Q4_0", "--save-recipe", recipe}).exit_code == 1);  // before any work
    CHECK(requant({place.input, "Q4_0", "--dry-run", "--save-recipe", place / "none/r"}).exit_code == 1);
    const CommandResult over_input = requant({place.input, "Q4_0", "--save-recipe", place.input, "--force"});
    CHECK(over_input.exit_code == 1);
    CHECK(over_input.err == fmt::format("gguf-requant: {}: is an input of the same command\n", place.input));
    CHECK(place.made() == Names{"r"});

    check_misuse({place.input, "COPY", "--save-recipe", "-"}, "COPY keeps every tensor as it is");
    check_misuse({place.input, "Q4_0", "--json", "--save-recipe", "-"}, "would both be on standard output");
    check_misuse({place.input, "-", "Q4_0", "--save-recipe", "-"}, "would both be on standard output");
    check_misuse({place.input, place / "o.gguf", "Q4_0", "--save-recipe", place / "o.gguf"}, "names the output");
    check_misuse({place.input, "Q4_0:" + place / "a", "Q8_0:" + place / "b", "--save-recipe", "r"},
                 "is for one output");
}

TEST_CASE("a target: into a stream and into memory") {
    const Place place;
    const std::string script = fmt::format(
        "\"$BIN/gguf-requant\" {0} {1} --target-size 2M --threads 1 && \"$BIN/gguf-requant\" {0} - --target-size "
        "2M --save-recipe {2} > {3} && cmp {1} {3}",
        place.input, place / "file.gguf", place / "r", place / "stream.gguf");
    const CommandResult stream = run_shell(script);
    CHECK_MESSAGE(stream.exit_code == 0, stream.err);
    CHECK(read_text(place / "r").find("file_type = Q2_K\n") != std::string::npos);

    const std::string name = "ggufkit-target-" + std::to_string(::getpid());
    const Words share{place.input, "--target-size", "2M", "--shm", name};
    const CommandResult made = requant(share), found = requant(share);
    CHECK_MESSAGE(made.exit_code == 0, made.err);
    CHECK(found.text().find("is there already, made of the same input in the same way") != std::string::npos);
    CHECK(read_text("/dev/shm/" + name) == read_text(place / "file.gguf"));
    CHECK(run_tool("gguf-requant", {"--shm-remove", name}).exit_code == 0);
}
