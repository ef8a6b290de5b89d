// gguf-info --check of files that each have one defect: which rule it names, at which place, in both profiles.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <ggufkit/validate.hpp>
#include <limits>
#include <set>

#include "format/other_meaning.hpp"
#include "info/screens.hpp"
#include "support/files.hpp"
#include "support/goldens.hpp"
#include "support/programs.hpp"
#include "support/seeds.hpp"

using namespace ggufkit;
using namespace ggufkit::test;

namespace {

// What --check says, but for the line that names the file.
std::string verdict(const std::string& file, std::vector<std::string> flags) {
    flags.insert(flags.begin(), {file, "--check"});
    const CommandResult result = run_tool("gguf-info", flags, 0);
    CHECK(result.err == "");
    const std::string text = result.text();
    CHECK(result.exit_code == (text.find(": invalid, ") != text.npos ? 1 : 0));
    CHECK(is_calm(text));
    return text.substr(0, text.rfind('\n', text.size() - 2) + 1);
}

std::string verdicts(const std::string& file) {
    const std::string spec = verdict(file, {});
    std::string text = spec;
    for (const std::vector<std::string>& flags : {std::vector<std::string>{"--profile", "llama"}, {"--strict"}}) {
        const std::string other = verdict(file, flags);
        if (other != spec) text += "with " + flags.front() + ":\n" + other;
    }
    return text;
}

}  // namespace

TEST_CASE("--check of a file of each kind of defect names the rule and the place") {
    const TemporaryFolder folder;
    std::string all;
    for (const Seed& seed : seeds()) {
        write_file(folder / "seed.gguf", seed.bytes);
        all += "# " + std::string(seed.name) + "\n" + verdicts(folder / "seed.gguf") + "\n";
    }
    CHECK(all == golden("tests/info/golden/check.txt", all));
    // Rows of the taxonomy that one small file can stand for: none is without one.
    for (const char* row : {"H01", "H03", "H04", "H07", "H09", "K01", "K03", "K04", "K05", "K07", "K10", "K12", "K16",
                            "K18", "K20", "K24", "K25", "K27", "K30", "K35", "T01", "T02", "T05", "T08", "T10", "T13",
                            "T15", "T22", "T26", "T28", "O01", "O02", "O03", "O05", "O07", "O11", "O13", "C1"}) {
        CAPTURE(row);
        CHECK(all.find("# " + std::string(row) + "-") != all.npos);
    }
    std::set<std::string_view> elsewhere{"GGUF-R015", "GGUF-R043", "GGUF-R044", "GGUF-R045", "GGUF-R046", "GGUF-R059"};
    for (const Rule& rule : rules()) {
        CAPTURE(rule.id);
        CHECK((all.find(" " + std::string(rule.id) + " ") != all.npos) != elsewhere.contains(rule.id));
    }
}

TEST_CASE("--check: a key that is too long, shards that do not agree, numbers that are none") {
    const TemporaryFolder folder;
    const auto says = [&](const std::string& file, std::vector<std::string> flags, const char* rule) {
        flags.insert(flags.begin(), file);
        const CommandResult result = run_tool("gguf-info", flags, 0);
        CAPTURE(result.text());
        CHECK(result.exit_code == 1);
        CHECK(result.text().find(rule) != std::string::npos);
    };
    Bytes file(little_v3, 0, 1);
    file.entry(std::string(65'536, 'k'), std::uint32_t{1});
    write_file(folder / "long.gguf", file);
    says(folder / "long.gguf", {"--check"}, "GGUF-R015 BAD_KEY");

    const std::string second = small_llama().save_split(folder / "m", 3);
    std::filesystem::remove(folder / "m-00003-of-00003.gguf");
    says(second, {"--check"}, "GGUF-R043 BAD_SPLIT");
    const auto copy = std::filesystem::copy_options::overwrite_existing;
    small_llama().save_split(folder / "m", 3);
    std::filesystem::copy_file(folder / "m-00002-of-00003.gguf", folder / "m-00003-of-00003.gguf", copy);
    says(second, {"--check"}, "GGUF-R044 BAD_SPLIT");

    SmallModel nan = small_llama();
    const float value = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(nan.at("blk.0.attn_norm.weight").bytes.data() + 8, &value, 4);
    says(nan.save(folder / "nan.gguf"), {"--check-data"}, "GGUF-R046 BAD_QUANT");
}

TEST_CASE("--check names the types of ik_llama.cpp, and those that were removed") {
    const TemporaryFolder folder;
    std::size_t named = 0;
    for (const FormatInfo& format : formats()) {
        if (format.usable()) continue;
        Bytes file(little_v3, 1, 1);
        file.entry("general.architecture", "llama");
        file.tensor({.name = "t", .ne = {256}, .type = static_cast<TensorType>(format.id)});
        write_file(folder / "m.gguf", file.pad().fill(1024));
        const std::string said = verdict(folder / "m.gguf", {});
        CAPTURE(said);
        CHECK(said.find("GGUF-R031 BAD_TENSOR_TYPE  tensor 't': type " + std::string(format.name) + ": type id " +
                        std::to_string(format.id)) != said.npos);
        const bool of_forks = is_ambiguous(format), foreign = format.standing == Standing::foreign && !of_forks;
        CHECK((said.find(foreign ? "ik_llama.cpp" : of_forks ? "is of a fork" : "was removed") != said.npos));
        if (format.id == 36) CHECK(said.find("it is I2_S in ik_llama.cpp and BitNet") != said.npos);
        named += foreign ? 1 : 0;
    }
    CHECK(named >= 20);
}
