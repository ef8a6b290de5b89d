// What gguf-requant says of plans that are not what one expects: values that do not fit, fallbacks, importance matrices.
#include <doctest/doctest.h>

#include <boost/json.hpp>
#include <cstring>
#include <filesystem>

#include "support/files.hpp"
#include "support/imatrix_files.hpp"
#include "support/programs.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
namespace json = boost::json;
namespace fs = std::filesystem;

namespace {

CommandResult requant(const std::vector<std::string>& arguments) { return run_tool("gguf-requant", arguments); }

SmallModel model_of(const std::vector<std::string>& names, std::vector<std::uint64_t> ne) {
    SmallModel model;
    model.set("general.architecture", "llama");
    for (const std::string& name : names) {
        model.tensor(name, TensorType::F32, ne);
        auto& bytes = model.tensors.back().bytes;
        for (std::size_t i = 0; i * 4 < bytes.size(); ++i) {
            const float value = 0.01f * static_cast<float>(i * 7919 % 201) - 1;
            std::memcpy(bytes.data() + 4 * i, &value, 4);
        }
    }
    return model;
}

void put(SmallModel& model, std::string_view name, std::size_t at, float value) {
    std::memcpy(model.at(name).bytes.data() + 4 * at, &value, 4);
}

std::string save_imatrix(const std::string& path, const std::vector<ImatrixRecord>& records) {
    write_file(path, gguf_imatrix(records));
    return path;
}

ImatrixRecord ones(const std::string& tensor, std::vector<float> counts = {1}) {
    return {tensor, std::vector<float>(256 * counts.size(), 1.0f), counts};
}

json::array note_kinds(const json::object& document) {
    json::array kinds;
    for (const json::value& note : document.at("notes").as_array()) kinds.push_back(note.at("kind"));
    return kinds;
}

}  // namespace

TEST_CASE("gguf-requant names all tensors whose values do not fit at once, and writes nothing") {
    const TemporaryFolder folder;
    SmallModel model = model_of({"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.attn_output.weight"}, {256, 32});
    put(model, "blk.0.attn_q.weight", 700, 1e30f);
    put(model, "blk.0.attn_output.weight", 3, -60000);
    const std::string in = model.save(folder / "in.gguf"), out = folder / "out.gguf";
    struct Case {
        std::string type, message;
    };
    for (const auto& [type, message] :
         {Case{"Q8_0",
               "1 tensor has values too large for its type: blk.0.attn_q.weight (Q8_0, values to 1e+30); BF16 "
               "or F32 holds them: --tensor-type 'blk.0.attn_q.weight=BF16'; nothing was written\n"},
          Case{"NVFP4",
               "2 tensors have values too large for their types: blk.0.attn_output.weight (NVFP4, values to "
               "6e+04), blk.0.attn_q.weight (NVFP4, values to 1e+30); BF16 or F32 holds them: --tensor-type "
               "'blk.0.attn_output.weight=BF16' and so on; nothing was written\n"}}) {
        for (const bool dry : {false, true}) {
            CAPTURE(type);
            CAPTURE(dry);
            std::vector<std::string> arguments{in, out, type};
            if (dry) arguments.emplace_back("--dry-run");
            const CommandResult result = requant(arguments);
            CHECK(result.exit_code == 1);
            CHECK(result.err == "gguf-requant: " + message);
            CHECK_FALSE(fs::exists(out));
        }
    }
    const json::object plan = json::parse(requant({in, out, "NVFP4", "--dry-run", "--json"}).text()).as_object();
    CHECK(plan.at("problem").at("code") == "BAD_QUANT");
    REQUIRE(plan.at("misfits").as_array().size() == 2);
    const json::object& misfit = plan.at("misfits").at(1).as_object();
    CHECK(misfit.at("tensor") == "blk.0.attn_q.weight");
    CHECK(misfit.at("type") == "NVFP4");
    CHECK(misfit.at("row") == 2);
    CHECK(misfit.at("greatest").as_double() == doctest::Approx(1e30));
    const CommandResult advised = requant({in, out, "NVFP4", "--tensor-type", "blk.0.attn_output.weight=BF16",
                                           "--tensor-type", "blk.0.attn_q.weight=BF16"});
    CHECK(advised.exit_code == 0);
    CHECK(advised.err == "");
}

TEST_CASE("gguf-requant says which types rows do not allow, and names those that were asked for by name") {
    const TemporaryFolder folder;
    const std::string in = model_of({"blk.0.attn_q.weight", "blk.0.attn_k.weight", "blk.0.ffn_up.weight"}, {96, 8})
                               .save(folder / "in.gguf");
    const std::string note =
        "gguf-requant: note: 3 tensors get another type than asked for (Q5_0 for Q4_K, Q8_0 for Q6_K): rows of 96 "
        "are "
        "no multiple of 256: blk.0.attn_k.weight, blk.0.attn_q.weight, blk.0.ffn_up.weight\n"
        "gguf-requant: note: 2 tensors cannot have the type asked for by name (Q8_0 for Q6_K): rows of 96 are no "
        "multiple of 256: blk.0.attn_k.weight, blk.0.attn_q.weight\n";
    const std::vector<std::string> flags{in, folder / "out.gguf", "Q4_K_S", "--tensor-type", "attn=q6_K"};
    const CommandResult done = requant(flags);
    CHECK(done.exit_code == 0);
    CHECK(done.err == note);
    auto as_json = flags;
    as_json.insert(as_json.end(), {"--dry-run", "--json"});
    const CommandResult dry = requant(as_json);
    CHECK(dry.err == note);
    CHECK(note_kinds(json_of(dry)) == json::array{"fallback", "forced_fallback"});
    CHECK(json_of(dry).at("tensors").at(0).at("wanted") == "Q6_K");
    CHECK(json_of(dry).at("notes").at(0).at("names").as_array().size() == 3);
}

TEST_CASE("gguf-requant says in one line what an imatrix lacks and how to go on") {
    const TemporaryFolder folder;
    std::vector<std::string> names;
    for (int i = 0; i < 8; ++i) names.push_back("blk." + std::to_string(i) + ".ffn_up.weight");
    const std::string in = model_of(names, {256, 8}).save(folder / "in.gguf"), out = folder / "out.gguf";
    const std::string matrix = save_imatrix(folder / "m.gguf", {ones(names[0]), ones("blk.77.ffn_up.weight")});
    const std::string line = "gguf-requant: 7 tensors have no entry in " + matrix +
                             ", and IQ2_XXS needs one: blk.1.ffn_up.weight, blk.2.ffn_up.weight, blk.3.ffn_up.weight, "
                             "blk.4.ffn_up.weight and 3 more; --imatrix-missing warn makes them without, --tensor-type "
                             "gives them other types\n";
    const CommandResult refused = requant({in, out, "IQ2_XXS", "--imatrix", matrix});
    CHECK(refused.exit_code == 1);
    CHECK(refused.err == line);
    CHECK_FALSE(fs::exists(out));
    const CommandResult dry = requant({in, out, "IQ2_XXS", "--imatrix", matrix, "--dry-run"});
    CHECK(dry.exit_code == 1);
    CHECK(dry.err == line +
                         "gguf-requant: note: 1 entry of the imatrix fits no tensor of the model: "
                         "blk.77.ffn_up.weight\n");
    CHECK(requant({in, out, "IQ2_XXS", "--imatrix", matrix, "--imatrix-missing", "warn"}).exit_code == 0);
}

TEST_CASE("gguf-requant uses importance of experts that the file holds in another form, and notes unseen ones") {
    const TemporaryFolder folder;
    const std::string in = model_of({"blk.0.ffn_up_exps.weight"}, {256, 8, 2}).save(folder / "in.gguf");
    const auto made = [&](const std::string& name, const std::vector<ImatrixRecord>& records) {
        const std::string matrix = save_imatrix(folder / (name + ".imatrix"), records);
        return requant({in, folder / (name + ".gguf"), "IQ2_XXS", "--imatrix", matrix});
    };
    ImatrixRecord both = ones("blk.0.ffn_up_exps.weight", {1, 1});
    for (std::size_t i = 0; i < both.sums.size(); ++i) both.sums[i] = static_cast<float>(1 + i % 50);
    const std::vector<float> first(both.sums.begin(), both.sums.begin() + 256),
        second(both.sums.begin() + 256, both.sums.end());
    CHECK(made("merged", {both}).err == "");
    const CommandResult apart =
        made("apart", {{"blk.0.ffn_up.0.weight", first, {1}}, {"blk.0.ffn_up.1.weight", second, {1}}});
    CHECK(apart.exit_code == 0);
    CHECK(apart.err ==
          "gguf-requant: note: 1 tensor takes importance from imatrix entries of other names (such as "
          "blk.0.ffn_up.0.weight): blk.0.ffn_up_exps.weight\n");
    const json::object diff = json_of(run_tool("gguf-diff", {folder / "merged.gguf", folder / "apart.gguf", "--json"}));
    CHECK(diff.at("tensors").as_array().empty());

    both.counts = {1, 0};
    CHECK(made("unseen", {both}).err ==
          "gguf-requant: note: 1 tensor has experts that the imatrix's text never reached; those experts count "
          "as if all their inputs were alike: blk.0.ffn_up_exps.weight\n");
    both.counts = {0, 0};
    const CommandResult none = made("none", {both, ones("blk.0.attn_q.weight")});
    CHECK(none.exit_code == 1);
    CHECK(none.err.starts_with("gguf-requant: 1 tensor has only counts of 0 in "));
    const CommandResult nothing = made("nothing", {both});
    CHECK(nothing.exit_code == 1);
    CHECK(nothing.err.find("all its counts are 0") != std::string::npos);
}
