// The flags that llama-quantize has too, and shards, as a user gives them.
#include <doctest/doctest.h>
#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <filesystem>
#include <ggufkit/model.hpp>
#include <map>

#include "support/files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace fs = std::filesystem;
namespace json = boost::json;

namespace {

using Words = std::vector<std::string>;

const std::string source = GGUFKIT_TEST_DATA "/tiny-llama-f16.gguf";
const std::string matrix = GGUFKIT_TEST_DATA "/tiny-llama.imatrix.gguf";

CommandResult requant(Words words, const Words& flags = {}) {
    words.insert(words.end(), flags.begin(), flags.end());
    return run_tool("gguf-requant", std::move(words));
}

json::object plan_of(Words words, const Words& flags = {}) {
    words.insert(words.end(), {"--dry-run", "--json"});
    const CommandResult result = requant(std::move(words), flags);
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    return json_of(result);
}

std::map<std::string, std::string> types_of(const Words& flags) {
    std::map<std::string, std::string> types;
    const json::object plan = plan_of({source, "Q4_K_M"}, flags);
    for (const auto& tensor : plan.at("tensors").as_array()) {
        types[text_of(tensor.at("name"))] = text_of(tensor.at("to"));
    }
    return types;
}

void check_misuse(const Words& words, std::string_view says) {
    const CommandResult result = requant(words);
    CAPTURE(result.err);
    CHECK(result.exit_code == 2);
    CHECK(result.err.find(says) != result.err.npos);
    CHECK(result.err.ends_with("Try 'gguf-requant --help'.\n"));
}

}  // namespace

TEST_CASE("--output-tensor-type, --token-embedding-type, --leave-output-tensor") {
    auto types = types_of({"--output-tensor-type", "q8_0", "--token-embedding-type", "IQ4_XS"});
    CHECK(types["output.weight"] == "Q8_0");
    CHECK(types["token_embd.weight"] == "IQ4_XS");
    CHECK(types["blk.0.attn_q.weight"] == "Q4_K");
    CHECK(types_of({"--leave-output-tensor"})["output.weight"] == "F16");
    check_misuse({source, "Q4_K_M", "--output-tensor-type", "Q4_K_M"},
                 "'Q4_K_M' is no tensor type but a file type, a mix of them: mostly Q4_K\n");
    check_misuse({source, "Q4_K_M", "--tensor-type", "attn_v=Q8_K"},
                 "'Q8_K' is no tensor type that weights can have\n");
    check_misuse({source, "Q4_K_M", "--token-embedding-type", "x"}, "'x' is no tensor type");
}

TEST_CASE("what is wrong with the arguments is said of the one that it is wrong with") {
    check_misuse({source, "Q4_KM:a.gguf", "Q6_K:b.gguf"}, "'Q4_KM:a.gguf' is not TYPE:OUTPUT\n");
    check_misuse({source, "Q4_K_M:a.gguf", "Q6K:b.gguf"}, "'Q6K:b.gguf' is not TYPE:OUTPUT\n");
    check_misuse({source, "Q4_K_M:a.gguf", "Q6_K:./a.gguf", "--dry-run"}, "./a.gguf would be written twice\n");
    check_misuse({source, "a:b.gguf", "Q4_KM"}, "'Q4_KM' is no file type");
    check_misuse({source, "hf:a/b/c.gguf", "Q4_K_M"}, ": hf:a/b/c.gguf: no OUTPUT can be on a server\n");
    for (const Words& words : {Words{"", "Q4_K_M"}, {source, "", "Q4_K_M"}, {source, ""}, {source, "Q4_K_M", ""}}) {
        check_misuse(words, ": an argument is empty\n");
    }
    check_misuse({source, "Q4_K_M", "--effort", "max", "--effort", "fast"}, ": --effort is given more than once\n");
    check_misuse({source, "Q4_K_M", "--ctx"}, ": --ctx needs N\n");
    check_misuse({source, "Q4_K_M", "--override-kv"}, ": --override-kv needs KEY=TYPE:VALUE\n");
}

TEST_CASE("--tensor-type-file: lines and blanks part its rows, which come after those of --tensor-type") {
    const TemporaryFolder folder;
    const std::string file = folder / "types";
    write_file(file, "# values\nattn_v=Q8_0 attn_q=Q5_K\n\nattn=Q3_K # the rest\n");
    auto types = types_of({"--tensor-type-file", file, "--tensor-type", "attn_q=Q6_K"});
    CHECK(types["blk.3.attn_v.weight"] == "Q8_0");
    CHECK(types["blk.3.attn_q.weight"] == "Q6_K");
    CHECK(types["blk.3.attn_k.weight"] == "Q3_K");
    write_file(file, "attn_v=Q8_0\nattn_q\n");
    check_misuse({source, "Q4_K_M", "--tensor-type-file", file}, file + ", line 2: 'attn_q' is not REGEX=TYPE");
    write_file(file, "file_type=Q4_K_M");
    check_misuse({source, "Q4_K_M", "--tensor-type-file", file}, "gives a file_type");
    const CommandResult missing = requant({source, "Q4_K_M", "--tensor-type-file", folder / "none"});
    CHECK(missing.exit_code == 1);
    CHECK(missing.err.starts_with("gguf-requant: " + folder / "none: "));
}

TEST_CASE("a pattern that fits no tensor is noted, with a plan and with work, and is no error") {
    const TemporaryFolder folder;
    const std::string file = folder / "m.recipe";
    write_file(file, "file_type = Q4_K_M\nattn_q=Q8_0\n\nffn_dwn=Q6_K\n");
    const Words words{source,          folder / "out.gguf", "--recipe",      file,
                      "--tensor-type", "Attn_V=q8_0",       "--tensor-type", "FFN_Dwn=q6_k"};
    const std::string notes = "gguf-requant: note: --tensor-type 'FFN_Dwn' fits no tensor\n";
    const std::string in_file = "gguf-requant: note: m.recipe, line 4: 'ffn_dwn' fits no tensor\n";
    for (const Words& flags : {Words{"--dry-run"}, {"--dry-run", "--json"}, {}, {"--json", "--force"}}) {
        const CommandResult result = requant(words, flags);
        CHECK(result.exit_code == 0);
        CHECK(result.err == notes + in_file);
        if (std::ranges::find(flags, "--json") == flags.end()) continue;
        CHECK(json_of(result).at("unused_overrides") ==
              json::array{
                  {{"pattern", "FFN_Dwn"}, {"type", "Q6_K"}, {"from", "--tensor-type"}, {"detail", "fits no tensor"}},
                  {{"pattern", "ffn_dwn"},
                   {"type", "Q6_K"},
                   {"from", "m.recipe, line 4"},
                   {"detail", "fits no tensor"}}});
    }
    // Once, of several outputs; of a list as well.
    write_file(file, "ffn_dwn=Q6_K\n");
    CHECK(requant({source, "Q4_K_M:" + folder / "a.gguf", "Q6_K:" + folder / "b.gguf", "--dry-run"},
                  {"--tensor-type-file", file})
              .err == "gguf-requant: note: m.recipe, line 1: 'ffn_dwn' fits no tensor\n");
    // A recipe of another model floods no screen.
    std::string rows;
    for (int i = 0; i < 30; ++i) rows += fmt::format("^blk\\.{}\\.ssm_in\\.weight$=Q6_K\n", i);
    write_file(file, rows);
    const std::string many = requant({source, "Q4_K_M", "--dry-run", "--tensor-type-file", file}).err;
    CHECK(std::ranges::count(many, '\n') == 9);
    CHECK(many.ends_with("note: 22 more patterns change nothing; --json lists them\n"));
    CHECK(plan_of({source, "Q4_K_M"}).at("unused_overrides").as_array().empty());
}

TEST_CASE("no file is asked to be two: the imatrix and the output, a recipe and a report") {
    const TemporaryFolder folder;
    const std::string own = folder / "m.imatrix.gguf", link = folder / "link.gguf", both = folder / "r.json";
    fs::copy_file(matrix, own);
    fs::create_hard_link(own, link);
    for (const std::string& output : {own, link}) {
        check_misuse({source, output, "Q4_K_M", "--imatrix", own, "--force"},
                     ": the output is the file of --imatrix\n");
        check_misuse({source, "Q4_K_M", "--imatrix", own, "--force", "--save-recipe", output},
                     ": --save-recipe names the file of --imatrix\n");
    }
    check_misuse({source, folder / "out.gguf", "Q4_K_M", "--report", both, "--save-recipe", both},
                 ": --save-recipe and --report name the same file\n");
    CHECK((read_text(own) == read_text(matrix)));
}

TEST_CASE("an output that may not grow so large is an error that leaves nothing") {
    const TemporaryFolder folder;
    const CommandResult result =
        run_shell("ulimit -f 100; \"$BIN/gguf-requant\" '" + source + "' '" + folder / "out.gguf" + "' Q8_0");
    CHECK(result.exit_code == 1);
    CHECK(result.err.find("out.gguf: cannot ") != result.err.npos);
    CHECK(result.err.ends_with("File too large\n"));
    CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("--include-weights and --exclude-weights leave only a part of the imatrix") {
    const auto entries = [](const Words& flags) {
        const json::object plan = plan_of({source, "Q4_K_M", "--imatrix", matrix}, flags);
        return plan.at("imatrix").at("entries").to_number<int>();
    };
    CHECK(entries({}) == 42);
    CHECK(entries({"--include-weights", "attn_q"}) == 6);
    CHECK(entries({"--include-weights", "attn_q", "--include-weights", "blk.0."}) == 12);
    CHECK(entries({"--exclude-weights", "attn_q"}) == 36);
    const CommandResult slip = requant({source, "Q4_K_M", "--dry-run", "--imatrix", matrix},
                                       {"--exclude-weights", "fn_dwn", "--exclude-weights", "attn_q"});
    CHECK(slip.exit_code == 0);
    CHECK(slip.err.starts_with("gguf-requant: note: --exclude-weights 'fn_dwn' fits no entry of the imatrix\n"));
    CHECK(slip.err.find("'attn_q'") == slip.err.npos);
    check_misuse({source, "Q4_K_M", "--imatrix", matrix, "--include-weights", "a", "--exclude-weights", "b"},
                 "excludes");
    check_misuse({source, "Q4_K_M", "--include-weights", "a"}, "requires --imatrix");
    check_misuse({source, "Q4_K_M", "--exclude-weights", "a"}, "requires --imatrix");
    const CommandResult nothing = requant({source, "Q4_K_M", "--imatrix", matrix, "--include-weights", "nothing"});
    CHECK(nothing.exit_code == 1);
    CHECK(nothing.err.find("has no entry that --include-weights or --exclude-weights leave") != nothing.err.npos);
}

TEST_CASE("an importance matrix in place of the model: a slip that names the flag it belongs to") {
    const TemporaryFolder folder;
    for (const Words& types : {Words{"Q4_K_M"}, {"Q4_K_M", "--dry-run"}, {"--target-bpw", "4"}}) {
        Words words{matrix, folder / "out.gguf"};
        words.insert(words.end(), types.begin(), types.end());
        check_misuse(words, "the input is an importance matrix, not a model: give it as --imatrix\n");
    }
    CHECK(requant({matrix, folder / "copy.gguf", "COPY"}).exit_code == 0);
}

TEST_CASE("everything that an imatrix lacks is listed at once") {
    const CommandResult result =
        requant({source, "IQ2_XS", "--dry-run", "--imatrix", matrix, "--exclude-weights", "attn_q"});
    CHECK(result.exit_code == 1);
    CHECK(result.err.starts_with("gguf-requant: 6 tensors have no entry in " + matrix +
                                 ", and IQ2_XS needs one: blk.0.attn_q.weight, blk.1.attn_q.weight, "
                                 "blk.2.attn_q.weight, blk.3.attn_q.weight and 2 more; --imatrix-missing warn makes "
                                 "them without, --tensor-type gives them other types\n"));
    CHECK(result.err.find("blk.0.attn_q") == result.err.rfind("blk.0.attn_q"));  // said once
    const auto plan =
        json_of(requant({source, "IQ2_XS", "--dry-run", "--json", "--imatrix", matrix, "--exclude-weights", "attn_q"}));
    CHECK(std::ranges::count_if(plan.at("imatrix_gaps").as_array(),
                                [](const auto& gap) { return gap.at("fatal").as_bool(); }) == 6);
}

TEST_CASE("--prune-layers takes numbers and ranges, the output is a sound model of fewer layers") {
    const TemporaryFolder folder;
    const std::string output = folder / "pruned.gguf";
    const CommandResult result = requant({source, output, "Q8_0", "--prune-layers", "1,3-4"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    CHECK(run_tool("gguf-info", {output, "--check"}).exit_code == 0);
    const auto pruned = Model::open(output);
    REQUIRE(pruned);
    CHECK(pruned->header().get_unsigned("llama.block_count") == 3);
    CHECK(pruned->find_tensor("blk.2.attn_q.weight") != nullptr);
    CHECK(pruned->find_tensor("blk.3.attn_q.weight") == nullptr);

    for (const char* bad : {"", "x", "1,", ",1", "3-1", "1-", "-1", "1-2-3", "0-4294967295", "4294967296"}) {
        check_misuse({source, output, "Q8_0", fmt::format("--prune-layers={}", bad)}, "");
    }
    check_misuse({source, output, "Q8_0", "--prune-layers", "6"}, "there is no layer 6: the model has 6");
    check_misuse({source, output, "Q8_0", "--prune-layers", "0-5"}, "no layer would be left");
}

TEST_CASE("--override-kv sets keys of every kind") {
    const TemporaryFolder folder;
    const std::string output = folder / "out.gguf";
    const CommandResult result = requant({source, output, "COPY", "--override-kv", "general.name=str:A = b: c",
                                          "--override-kv", "my.count=int:-3", "--override-kv", "my.scale=float:0.5",
                                          "--override-kv=my.flag=bool:true", "--override-kv", "my.empty=str:"});
    REQUIRE_MESSAGE(result.exit_code == 0, result.err);
    const auto model = Model::open(output);
    REQUIRE(model);
    CHECK(model->header().get_string("general.name") == "A = b: c");
    CHECK(model->header().get_signed("my.count") == -3);
    CHECK(model->header().get_float("my.scale") == 0.5);
    CHECK(model->header().get_bool("my.flag") == true);
    CHECK(model->header().get_string("my.empty") == "");
    const std::pair<const char*, const char*> bad[] = {
        {"key", "'key' is not KEY=TYPE:VALUE"},
        {"=int:3", "'=int:3' is not KEY=TYPE:VALUE"},
        {"key=int", "'key=int' is not KEY=TYPE:VALUE"},
        {"key=u8:3", "'u8' is no type of value: there are int, float, bool and str"},
        {"key=int:3.5", "'3.5' in 'key=int:3.5' is no int"},
        {"key=int:18446744073709551616", "is no int"},
        {"key=float:nan", "is no float"},
        {"key=float:", "is no float"},
        {"key=bool:yes", "is no bool"},
        {"key=str:\xff", "is no str"},
        {"split.no=int:1", "key 'split.no': tells the place of a file among others"},
    };
    for (const auto& [setting, says] : bad) check_misuse({source, "Q8_0", "--override-kv", setting}, says);
}

TEST_CASE("--split-max-size, --split-max-tensors, --keep-split, COPY makes one file of the shards again") {
    const TemporaryFolder folder;
    REQUIRE(requant({source, folder / "whole.gguf", "Q8_0"}).exit_code == 0);
    const CommandResult split = requant({source, folder / "m.gguf", "Q8_0", "--split-max-tensors", "20"});
    REQUIRE_MESSAGE(split.exit_code == 0, split.err);
    CHECK(split.text().starts_with(folder / "m-00001-of-00003.gguf to 00003: "));
    for (const auto* first : {"m-00001-of-00003.gguf", "m-00003-of-00003.gguf"}) {
        REQUIRE(requant({folder / first, folder / "merged.gguf", "copy", "--force"}).exit_code == 0);
        CHECK((read_text(folder / "merged.gguf") == read_text(folder / "whole.gguf")));
    }
    const json::object kept = plan_of({folder / "m-00002-of-00003.gguf", folder / "k.gguf", "COPY", "--keep-split"});
    CHECK(text_of(kept.at("file_type")) == "COPY");
    REQUIRE(kept.at("files").as_array().size() == 3);
    std::uint64_t bytes = 0;
    for (std::size_t i = 0; i < 3; ++i) {
        const json::object& file = kept.at("files").at(i).as_object();
        CHECK(text_of(file.at("path")) == folder / fmt::format("k-0000{}-of-00003.gguf", i + 1));
        CHECK(file.at("bytes").to_number<std::uint64_t>() ==
              fs::file_size(folder / fmt::format("m-0000{}-of-00003.gguf", i + 1)));
        bytes += file.at("bytes").to_number<std::uint64_t>();
    }
    CHECK(kept.at("bytes_out").to_number<std::uint64_t>() == bytes);
    CHECK(kept.at("tensors").at(56).at("file") == 2);

    check_misuse({source, "Q8_0", "--keep-split", "--split-max-tensors", "3"}, "excludes");
    check_misuse({source, "Q8_0", "--keep-split", "--split-max-size", "3M"}, "excludes");
    check_misuse({source, "Q8_0", "--split-max-tensors", "0"}, "--split-max-tensors");
    const auto check_copy = [&](std::vector<std::string> flags, const std::string& why) {
        flags.insert(flags.begin(), {source, "COPY"});
        check_misuse(flags, "a copy keeps every tensor as it is: " + why);
    };
    check_copy({"--pure"}, "no type can be chosen");
    check_copy({"--leave-output-tensor"}, "no type can be chosen");
    check_copy({"--output-tensor-type", "Q8_0"}, "no type can be chosen");
    check_copy({"--token-embedding-type", "Q8_0"}, "no type can be chosen");
    check_copy({"--tensor-type", "x=Q8_0"}, "no type can be chosen");
    check_copy({"--imatrix", matrix}, "it needs no imatrix");
    CHECK(text_of(plan_of({folder / "m-00001-of-00003.gguf", "COPY"}).at("output")) == folder / "m-COPY.gguf");
}

TEST_CASE("sizes have decimal and binary units") {
    const TemporaryFolder folder;
    SmallModel model;
    for (int i = 0; i < 8; ++i) model.tensor(fmt::format("v{}", i), TensorType::F32, {128});  // 512 bytes
    model.save(folder / "m.gguf");
    const auto files = [&](const char* size) {
        return plan_of({folder / "m.gguf", "COPY", "--split-max-size", size}).at("files").as_array().size();
    };
    CHECK(files("1024B") == 4);
    CHECK(files("1K") == 8);
    CHECK(files("1KB") == 8);
    CHECK(files("1KiB") == 4);
    CHECK(files("2kib") == 2);
    CHECK(files("1.5KiB") == 3);
    CHECK(files("2.047999K") == 3);
    CHECK(files("2.048K") == 2);
    CHECK(files("1M") == 1);
    CHECK(files("16777215T") == 1);
    for (const char* bad :
         {"0", "G", "1Q", "1.5.G", ".5G", "1.G", "1.0000001G", "-1", "1iB", "16777216TiB", "99999999999999999999"}) {
        check_misuse({folder / "m.gguf", "COPY", fmt::format("--split-max-size={}", bad)}, "is no size such as 4G");
    }
    check_misuse({folder / "m.gguf", "COPY", "--split-max-size=1024"}, "'1024' has no unit: write 1024GiB or 1024MiB");
    check_misuse({folder / "m.gguf", "COPY", "--split-max-size=0.5"}, "'0.5' has no unit");
}

TEST_CASE("more than a hundred shards, written and read") {
    const TemporaryFolder folder;
    SmallModel model;
    for (int i = 0; i < 120; ++i) model.tensor(fmt::format("v{:03}", i), TensorType::F32, {8});
    model.save(folder / "whole.gguf");
    REQUIRE(requant({folder / "whole.gguf", folder / "m.gguf", "COPY", "--split-max-tensors", "1"}).exit_code == 0);
    const auto split = Model::open(folder / "m-00077-of-00120.gguf");
    REQUIRE(split);
    CHECK(split->shard_count() == 120);
    REQUIRE(requant({folder / "m-00001-of-00120.gguf", folder / "merged.gguf", "COPY"}).exit_code == 0);
    REQUIRE(requant({folder / "whole.gguf", folder / "copy.gguf", "COPY"}).exit_code == 0);
    CHECK((read_text(folder / "merged.gguf") == read_text(folder / "copy.gguf")));
}

TEST_CASE("--help has an example for every group of flags, within 80 columns") {
    const std::string help = requant({"--help"}).text();
    for (const char* group : {"Types", "Importance", "Model", "Output", "Work"}) {
        const std::size_t at = help.find(fmt::format("\n{}:\n", group));
        REQUIRE(at != help.npos);
        const std::size_t end = help.find("\n\n", at + 1);
        CHECK(help.substr(at, end - at).find("\n  Example: gguf-requant ") != std::string::npos);
    }
    for (std::size_t begin = 0; begin < help.size();) {
        const std::size_t end = help.find('\n', begin);
        CHECK(end - begin <= 80);
        begin = end + 1;
    }
}

TEST_CASE("options that would have no effect are misuse") {
    const TemporaryFolder folder;
    const std::string output = folder / "o.gguf";
    for (const char* flag : {"--list-types", "--shm-remove=x"}) {
        check_misuse({flag, "--json"}, "excludes");
        check_misuse({flag, "--threads", "2"}, "excludes");
        check_misuse({flag, source}, "");
    }
    check_misuse({source, output, "Q8_0", "2", "--threads", "2"}, "THREADS and --threads");
    for (const Words& streams :
         {Words{source, output + ".zst", "Q8_0"}, {source, "-", "Q8_0"}, {source, "Q8_0", "--shm=x"}}) {
        const auto with = [&](const Words& more) {
            Words words = streams;
            words.insert(words.end(), more.begin(), more.end());
            return words;
        };
        check_misuse(with({"--checkpoint", "3"}), "--checkpoint is for outputs on disk, not compressed");
        check_misuse(with({"--split-max-tensors", "3"}), "shards are for outputs on disk, not compressed");
        check_misuse(with({"--split-max-tensors", "3", "--dry-run"}), "shards are for outputs on disk, not compressed");
    }
    CHECK_FALSE(fs::exists(output + ".zst"));
}
