// What a file says of its source, and the check that it is so.
#include <doctest/doctest.h>

#include <ggufkit/inspect/digests.hpp>
#include <ggufkit/requant/execute.hpp>
#include <ggufkit/requant/plan.hpp>
#include <ggufkit/requant/provenance.hpp>
#include <ggufkit/requant/recipe_file.hpp>
#include <map>

#include "support/files.hpp"
#include "support/must.hpp"
#include "support/small_model.hpp"

using namespace ggufkit;
using namespace ggufkit::test;
using Finding = ProvenanceCheck::Finding;

namespace {

SmallModel source_model() {
    SmallModel model;
    model.set("general.architecture", "llama");
    for (const char* layer : {"blk.1.", "blk.0."}) {
        model.tensor(layer + std::string("ffn_down.weight"), TensorType::F16, {256, 4})
            .tensor(layer + std::string("attn_norm.weight"), TensorType::F32, {256});
    }
    return model.tensor("output.weight", TensorType::F16, {256, 8});
}

// Makes OUT of IN as the recipe says, with provenance.
void make(const std::filesystem::path& in, const std::filesystem::path& out, Recipe recipe) {
    const Model model = must(Model::open(in));
    const Provenance provenance = must(provenance_of(model, "test 1.0"));
    recipe.provenance = &provenance;
    REQUIRE(execute(model, must(make_plan(model, recipe)), out));
}

ProvenanceCheck check(const std::filesystem::path& made, const std::filesystem::path& source) {
    return must(check_provenance(must(Model::open(made)), must(Model::open(source))));
}

std::map<std::string, Finding> findings(const ProvenanceCheck& check) {
    std::map<std::string, Finding> found;
    for (const auto& [name, finding] : check.tensors) CHECK(found.emplace(name, finding).second);
    return found;
}

std::string text_at(const Model& model, std::string_view key) {
    return std::string(must(model.header().get_string("ggufkit.provenance." + std::string(key))));
}

struct Site {
    TemporaryFolder folder;
    std::filesystem::path in = source_model().save(folder / "in.gguf");
    std::filesystem::path out = folder / "out.gguf";
};

}  // namespace

TEST_CASE("provenance: the keys say who made the file, how, and of what") {
    const Site site;
    const Imatrix imatrix = must(Imatrix::of({{"blk.0.ffn_down.weight", std::vector<float>(256, 1)}},
                                             {.file = "/some/folder/m.imatrix", .dataset = {}}));
    make(site.in, site.out,
         {.types = Mix{.file_type = find_file_type("Q4_K_M"),
                       .pure = true,
                       .overrides = {{"ffn_down", TensorType::Q6_K}},
                       .imatrix = &imatrix},
          .effort = Effort::max});
    const Model made = must(Model::open(site.out)), source = must(Model::open(site.in));
    CHECK(text_at(made, "tool") == "test 1.0");
    CHECK(text_at(made, "library").starts_with("ggufkit "));
    CHECK(text_at(made, "effort") == "max");
    CHECK(text_at(made, "imatrix") == "m.imatrix");
    CHECK(must(made.header().get_bool("ggufkit.provenance.pure")));
    const RecipeFile recipe = must(parse_recipe_file(text_at(made, "recipe")));
    CHECK(recipe.file_type == find_file_type("Q4_K_M"));
    REQUIRE(recipe.overrides.size() == 1);
    CHECK(recipe.overrides[0].pattern() == "ffn_down");
    CHECK(recipe.overrides[0].type == TensorType::Q6_K);

    const ArrayView records = must(made.header().get_array("ggufkit.provenance.source.xxh3_128"));
    REQUIRE(records.size() == source.tensors().size());
    auto record = records.begin();
    for (const ModelTensor& tensor : source.tensors()) {
        const std::string line = must(digest(source, tensor)).hex() + "  " + std::string(tensor.info->name);
        CHECK(must((*record).as_string()) == line);
        ++record;
    }
}

TEST_CASE("provenance: holds for its source in any container, names every tensor of another one") {
    const Site site;
    make(site.in, site.out, {Mix{.file_type = find_file_type("Q8_0")}});
    SmallModel model = source_model();
    const auto saved = [&](const SmallModel& other, SmallModel::Container container = {}) {
        return other.save(site.folder / "other.gguf", container);
    };
    for (const auto& same : {site.in, saved(model, {.order = ByteOrder::big}), saved(model, {.backwards = true})}) {
        const ProvenanceCheck checked = check(site.out, same);
        CHECK(checked.holds());
        CHECK(checked.tool == "test 1.0");
        CHECK(checked.recipe == "file_type = Q8_0\n");
        CHECK(checked.count(Finding::same) == 5);
    }
    model.save_split(site.folder / "split", 2);
    CHECK(check(site.out, site.folder / "split-00001-of-00002.gguf").holds());

    SmallModel other = model;
    other.at("output.weight").bytes[100] ^= std::byte{1};
    other.remove("blk.0.attn_norm.weight");
    other.tensor("added", TensorType::F32, {3});
    const ProvenanceCheck checked = check(site.out, saved(other));
    CHECK_FALSE(checked.holds());
    CHECK(findings(checked) == std::map<std::string, Finding>{{"blk.1.ffn_down.weight", Finding::same},
                                                              {"blk.1.attn_norm.weight", Finding::same},
                                                              {"blk.0.ffn_down.weight", Finding::same},
                                                              {"blk.0.attn_norm.weight", Finding::missing},
                                                              {"output.weight", Finding::differs},
                                                              {"added", Finding::unused}});
}

TEST_CASE("provenance: what was put into a file later is not vouched for") {
    const Site site;
    make(site.in, site.out, {Mix{.file_type = find_file_type("Q8_0")}});
    const Model made = must(Model::open(site.out));
    SmallModel edited = source_model();  // as to tensors; the keys are those of the made file
    const std::string record = must(digest(must(Model::open(site.in)), *made.find_tensor("output.weight"))).hex();
    edited.set("ggufkit.provenance.source.xxh3_128", Value::of_strings(std::vector<std::string>{}));
    const auto path = edited.save(site.folder / "edited.gguf");
    const SmallModel nothing = SmallModel().set("general.architecture", "llama");
    const ProvenanceCheck checked = check(path, nothing.save(site.folder / "nothing.gguf"));
    CHECK(checked.count(Finding::unrecorded) == 5);
    CHECK_FALSE(checked.holds());
    CHECK(checked.tool.empty());
    CHECK(check(path, site.in).count(Finding::unused) == 5);
}

TEST_CASE("provenance: bytes depend on the content alone, and sizes not even on that") {
    const Site site;
    const auto copy = source_model().save(site.folder / "renamed.gguf");
    make(site.in, site.out, {Mix{.file_type = find_file_type("Q4_0")}});
    make(copy, site.folder / "again.gguf", {Mix{.file_type = find_file_type("Q4_0")}});
    CHECK((read_bytes(site.out) == read_bytes(site.folder / "again.gguf")));

    const Model model = must(Model::open(site.in));
    const Provenance empty{"test 1.0", std::vector<Digest>(model.tensors().size())};
    const Plan plan = must(make_plan(model, {.types = Mix{.file_type = find_file_type("Q4_0")}, .provenance = &empty}));
    CHECK(plan.bytes_out() == std::filesystem::file_size(site.out));
    const Provenance short_one{"test 1.0", {}};
    const auto refused =
        make_plan(model, {.types = Mix{.file_type = find_file_type("Q4_0")}, .provenance = &short_one});
    REQUIRE_FALSE(refused);
    CHECK(refused.error().code == Errc::bad_argument);
}

TEST_CASE("provenance: that of the source is not that of what is made of it") {
    const Site site;
    make(site.in, site.out, {Mix{.file_type = find_file_type("Q8_0")}});
    const Model made = must(Model::open(site.out));
    const auto next = site.folder / "next.gguf";
    REQUIRE(execute(made, must(make_plan(made, {Mix{.file_type = find_file_type("Q4_0")}})), next));
    const Model third = must(Model::open(next));
    for (const KeyValue& entry : third.header().metadata()) CHECK_FALSE(entry.key.starts_with("ggufkit."));
    const auto silent = check_provenance(third, made);
    REQUIRE_FALSE(silent);
    CHECK(silent.error().code == Errc::not_found);
    CHECK(silent.error().subject == next);

    std::filesystem::remove(next);
    make(site.out, next, {Mix{.file_type = find_file_type("Q4_0")}});
    CHECK(check(next, site.out).holds());
    CHECK_FALSE(check(next, site.in).holds());
}

TEST_CASE("provenance: what is no record is refused, whatever it is") {
    const Site site;
    const std::string digest = "0123456789abcdef0123456789abcdef";
    const Value number = Value::of_unsigned(ValueType::uint32, 1);
    std::vector<Value> bad{Value::of_string("x"), *Value::of_array(ValueType::uint32, std::span(&number, 1))};
    for (const std::vector<std::string>& lines : {std::vector<std::string>{""},
                                                  {"0123"},
                                                  {digest},
                                                  {digest + " a"},
                                                  {"x" + digest.substr(1) + "  a"},
                                                  {digest + "  a", digest + "  a"}}) {
        bad.push_back(Value::of_strings(lines));
    }
    for (const Value& value : bad) {
        SmallModel model = source_model();
        model.set("ggufkit.provenance.source.xxh3_128", value);
        const Model made = must(Model::open(model.save(site.folder / "bad.gguf")));
        const auto result = check_provenance(made, must(Model::open(site.in)));
        REQUIRE_FALSE(result);
        CHECK(result.error().code == Errc::bad_semantics);
    }
}
